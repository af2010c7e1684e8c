"""The console: shows a desk and carries an operator's wishes to it. It never touches the engine otherwise.

The desk runs elsewhere (another thread, another process); here it is a `Desk`, asked for its newest view a few times a
second. Nothing in this process waits for the terminal, and nothing here waits for the desk.
"""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import msgspec
from textual.app import App
from textual.binding import BindingsMap
from textual.driver import Driver
from textual.drivers.headless_driver import HeadlessDriver

from console.actions import REFUSED, actions, bindings
from console.errands import Errands
from console.frame import BEAT_SECONDS, RETRY_SECONDS, Pace, alarm_of
from console.pages.base import Page, Source
from console.palette import THEMES, palette_for, themed
from console.questions import KEEP, KILL, LEAVE, STOP, flatten_question, kill_question, rearm_question, stop_question
from console.screens.desk import DeskScreen
from console.screens.goto import GotoScreen
from console.screens.help import HelpScreen
from console.screens.menu import Entry, MenuScreen
from console.screens.question import Question, QuestionScreen
from console.seat import Seat
from console.terminal import PatientDriver
from console.text import OVER, ZONE, Seen
from console.travel.moves import Move
from engine.core.events import Act
from engine.core.view import CommandReceipt, DeskView
from engine.session.home import Home
from engine.session.ports import CommandRequest, Desk
from store.errors import StoreError
from store.queries import open_queries


class Left(StrEnum):
    """How the console was left."""

    ENDED = "ended"  # the session is over
    CLOSED = "closed"  # the operator left; the desk goes on
    HUNG_UP = "hung_up"  # the terminal is gone; the desk goes on
    TERMINATED = "terminated"  # asked to by a signal
    FAILED = "failed"  # a fault of the console; the desk goes on


class Departure(NamedTuple):
    """How the console was left; `fault` is the traceback of a `FAILED` one, without the values of any variable."""

    left: Left
    fault: str = ""


class Traveller(Protocol):
    """Moves through a recorded run. Never blocks."""

    def move(self, move: Move) -> None: ...

    def go(self, text: str) -> None:
        """Go to a moment as it was typed."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """What the console is given beside the desk.

    Attributes:
        actor: Who sits here, for the audit.
        kill_fallback: Writes the kill file and says where; called when a kill is not answered within 250 ms.
        on_hangup: Called when the terminal is gone, before the console leaves.
        on_terminate: Called on SIGTERM, before the console leaves; the default asks the desk to stop.
        seat: Who sits here, as far as the desk is concerned.
        rearm_stopped: Clears the latch in the books of a desk that is over, for a reason; None: `nightdesk rearm` does.
        away: Why a desk that runs elsewhere is not there at the moment; "" while it is.
        books: The desk's database, for the pages that look back; None: they say that there is nothing to look into.
        files: The desk's folders, for the pages that look into its files; None: likewise.
        traveller: Moves through a recorded run, for the seat that looks at one.
    """

    actor: str
    kill_fallback: Callable[[], str] | None = None
    on_hangup: Callable[[], None] | None = None
    on_terminate: Callable[[], None] | None = None
    seat: Seat = Seat.OWNER
    away: Callable[[], str] = lambda: ""
    books: Path | None = None
    files: Home | None = None
    rearm_stopped: Callable[[str], CommandReceipt] | None = None
    traveller: Traveller | None = None


class NoTerminal(Exception):
    """Standard input or output is no terminal, so there is nothing to draw on; `--headless` needs none."""


def run_console(desk: Desk, bridge: Bridge, driver: type[Driver] = PatientDriver) -> Departure:
    """Show `desk` until the operator leaves, the session ends, or the terminal is gone. Call on the main thread.

    `driver`: what it is drawn on; another one than a terminal's looks after its own input and output.

    Raises:
        NoTerminal: standard input or output is not a terminal.
    """
    if driver is PatientDriver and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise NoTerminal("the console needs a terminal on standard input and output; use --headless without one")
    app = ConsoleApp(desk, bridge, driver_class=driver)
    kept = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        asyncio.run(_run(app))
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    return app.departure


async def _run(app: "ConsoleApp") -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, app.terminal_gone)
    loop.add_signal_handler(signal.SIGTERM, app.terminated)
    loop.add_signal_handler(signal.SIGINT, app.action_interrupt)
    await app.run_async(mouse=False)


_SIGNALS: Final = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)


class ConsoleApp(App[None], inherit_bindings=False):
    """The Textual app: keys to commands, views to lines, one frame clock."""

    CSS_PATH = "console.tcss"
    TITLE = "Nightdesk"
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        desk: Desk,
        bridge: Bridge,
        *,
        driver_class: type[Driver] | None = None,
        mono_ns: Callable[[], int] = time.monotonic_ns,
        beats: bool = True,
    ) -> None:
        """`beats`: False leaves every frame to the caller of `beat` (tests)."""
        palette, own_colours = palette_for(os.environ)
        super().__init__(driver_class=driver_class, ansi_color=own_colours)
        self._bindings = BindingsMap(bindings(bridge.seat))
        self._desk = desk
        self._bridge = bridge
        self._mono_ns = mono_ns
        self._beats = beats
        self._palette = palette
        self._has_themes = not own_colours
        self._pace = Pace()
        self._view: DeskView | None = None
        self._view_ns = mono_ns()
        self._latched_before: bool | None = None
        self._cleared = False  # the latch of a desk that is over, by us
        self._alarm: tuple[object, ...] = ()
        self._soon = self._retrying = self._frozen = False
        self._reading: asyncio.Task[None] | None = None
        self._desk_screen = DeskScreen(palette, bridge.seat)
        self._errands = Errands(desk, mono_ns, bridge.actor, bridge.kill_fallback, self._draw_soon_from_thread)
        self.departure = Departure(Left.CLOSED)

    def get_default_screen(self) -> DeskScreen:
        return self._desk_screen

    def on_mount(self) -> None:
        if self._beats:
            self.set_interval(BEAT_SECONDS, self.beat)
        self.beat()

    def on_resize(self) -> None:
        self.draw()

    # --- frames ---

    def beat(self) -> None:
        """Look at the desk; draw if a frame is due. Leave when the session is over."""
        self._errands.look_in()
        self._look()
        if self._view is not None:
            self._errands.see(self._view)
        self._read()
        alarm = alarm_of(self._view)
        urgent = self._soon or alarm != self._alarm
        waiting = self._output_waits()
        if self._pace.due(self._mono_ns(), urgent=urgent, waiting=waiting):
            self._soon, self._alarm = False, alarm
            self.draw()
            self._freeze_once()
        elif urgent and waiting and self._beats and not self._retrying:
            self._retrying = True
            self.set_timer(RETRY_SECONDS, self._retry)
        if self._desk.ended() and not self._killed_here():
            self._leave(Departure(Left.ENDED))

    def _retry(self) -> None:
        self._retrying = False
        self.beat()

    def draw(self) -> None:
        """Show what is known now, on the screen that is open."""
        if not self.is_running or not self.screen_stack:
            return
        seen = self._seen()
        self._desk_screen.show(seen, self._errands.notice())
        if isinstance(self.screen, QuestionScreen | GotoScreen):
            self.screen.show(seen)
        elif isinstance(self.screen, MenuScreen):
            self.screen.show()
        elif isinstance(self.screen, HelpScreen):
            self.screen.show(self._errands.notice())

    def _look(self) -> None:
        view = self._desk.view()
        if view is None:
            return
        if self._view is None or view.at_ns != self._view.at_ns:
            self._view_ns = self._mono_ns()
        if self._latched_before is None:
            self._latched_before = view.kill_latched
        if self._cleared:
            view = msgspec.structs.replace(view, kill_latched=False)
        self._view = view

    def _read(self) -> None:
        """Have the page read what it shows, one reading at a time, never in the way of a frame."""
        seen, page = self._seen(), self._desk_screen.page
        if seen is None or self._reading is not None or not page.wants(seen, self._mono_ns()):
            return
        self._reading = asyncio.create_task(self._read_for(page), name="reading")

    async def _read_for(self, page: Page) -> None:
        try:
            async with self._source_of(page) as source:
                await page.read(source, self._mono_ns())
        except (StoreError, OSError) as problem:
            page.failed(str(problem), self._mono_ns())
        finally:
            self._reading = None
        self.draw_soon()

    @asynccontextmanager
    async def _source_of(self, page: Page) -> AsyncIterator[Any]:
        books, files = self._bridge.books, self._bridge.files
        if page.source is Source.FILES:
            if files is None:
                raise StoreError("this console has no folder to look into")
            yield files
        elif books is None:
            raise StoreError("this console has no database to look into")
        else:
            async with open_queries(books) as queries:
                yield queries

    def _seen(self) -> Seen | None:
        if self._view is None:
            return None
        return Seen(self._view, self._mono_ns() - self._view_ns, self._bridge.seat, self._bridge.away())

    def _killed_here(self) -> bool:
        """Whether a kill fell in this run: its screen stays until the operator leaves."""
        latched = self._view is not None and self._view.kill_latched and not self._latched_before
        return latched or self._errands.killed

    def _output_waits(self) -> bool:
        return isinstance(self._driver, PatientDriver) and self._driver.output_waits()

    def _freeze_once(self) -> None:
        """After the first frame the heap is full of what lives as long as the process: never scan it again."""
        if not self._frozen and self._beats and not isinstance(self._driver, HeadlessDriver):
            self._frozen = True
            gc.collect()
            gc.freeze()

    def draw_soon(self) -> None:
        """Something changed that is to be seen at once."""
        self._soon = True
        if self._beats:
            self.call_next(self.beat)

    def _draw_soon_from_thread(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.draw_soon)

    # --- the operator's wishes ---

    def action_pause(self) -> None:
        self._send(Act.PAUSE, "operator pressed p")

    def action_resume(self) -> None:
        self._send(Act.RESUME, "operator pressed r")

    def action_page(self, number: int) -> None:
        if isinstance(self.screen, HelpScreen):
            self.pop_screen()
        self._desk_screen.turn_to(number)
        self.draw_soon()

    def action_help(self) -> None:
        if isinstance(self.screen, HelpScreen):
            self.pop_screen()
        else:
            showing = self._desk_screen
            self.push_screen(HelpScreen(self._palette, self._bridge.seat, showing.page, showing.pages))
        self.draw_soon()

    def action_flatten(self) -> None:
        self._ask(flatten_question(self._view), self._flatten_answered)

    def action_rearm(self) -> None:
        if self._view is None or not (self._view.kill_latched or self._errands.killed):
            self._errands.remark("~ the kill switch is not latched: there is nothing to re-arm")
            self.draw_soon()
            return
        self._ask(rearm_question(self._view), self._rearm_answered)

    def action_zone(self) -> None:
        ZONE.is_local = not ZONE.is_local
        self._errands.remark(f"~ times are written in {'local time' if ZONE.is_local else 'UTC'}")
        self.draw_soon()

    def action_menu(self) -> None:
        if isinstance(self.screen, MenuScreen | QuestionScreen):
            return
        pages = [
            Entry(f"page({at})", page.name, str(at), page.says) for at, page in enumerate(self._desk_screen.pages, 1)
        ]
        keys = [
            Entry(action.name, action.label, action.key, action.help)
            for action in actions(self._bridge.seat)
            if action.label and action.name != "menu"
        ]
        looks = [Entry(f"theme({name!r})", f"Theme {name}") for name in THEMES] if self._has_themes else []
        self.push_screen(MenuScreen([*pages, *keys, *looks], self._palette), self._menu_answered)
        self.call_later(self.draw)

    async def _menu_answered(self, action: str | None) -> None:
        if action is not None:
            await self.run_action(action)
        self.draw_soon()

    def action_theme(self, name: str) -> None:
        """Change the look of everything that is shown, at once."""
        self._palette.update(themed(name))
        for screen in self.screen_stack:
            if isinstance(screen, DeskScreen | HelpScreen):
                screen.board.repaint()
        self.draw_soon()

    def action_interrupt(self) -> None:
        seat = self._bridge.seat
        kills = ", K kills" if seat.acts else ""
        self._errands.remark(f"! ctrl+c does nothing here: q {'stops' if seat is Seat.OWNER else 'leaves'}{kills}")
        self.draw_soon()

    def action_travel(self, move: str) -> None:
        if self._bridge.traveller is not None:
            self._bridge.traveller.move(Move(move))
            self.draw_soon()

    def action_go(self) -> None:
        if self._bridge.traveller is not None and not isinstance(self.screen, GotoScreen):
            self.push_screen(GotoScreen(self._palette), self._gone_to)
            self.call_later(self.draw)

    def _gone_to(self, text: str | None) -> None:
        if text and self._bridge.traveller is not None:
            self._bridge.traveller.go(text)
        self.draw_soon()

    def action_refuse(self) -> None:
        """A key that would command the desk, where it may not be commanded from."""
        self._errands.remark(f"x {REFUSED[self._bridge.seat]}")
        self.draw_soon()

    def action_kill(self) -> None:
        if self._desk.ended() and self._view is not None and self._view.phase in OVER:
            self._errands.remark(
                "~ the session is over: nothing is left to stop; nightdesk kill keeps the next one from entering"
            )
            self.draw_soon()
            return
        self._ask(kill_question(self._view), self._kill_answered)

    def action_stop(self) -> None:
        if self._desk.ended() or self._bridge.seat is not Seat.OWNER:
            self._leave(Departure(Left.ENDED if self._desk.ended() else Left.CLOSED))
            return
        self._ask(stop_question(self._view), self._stop_answered)

    def _send(self, act: Act, reason: str) -> None:
        self._errands.send(act, reason)
        self.draw_soon()

    def _ask(self, question: Question, answered: Callable[[str | None], None]) -> None:
        if isinstance(self.screen, QuestionScreen):
            return  # one question at a time: a key held down must not stack them
        self.push_screen(QuestionScreen(question, self._palette, self._mono_ns, self._output_waits), answered)
        self.call_later(self.draw)

    def _kill_answered(self, name: str | None) -> None:
        if name == KILL.name:
            self._send(Act.KILL, "operator pressed K, then y")
        self.draw_soon()

    def _flatten_answered(self, reason: str | None) -> None:
        if reason is not None:
            self._send(Act.FLATTEN, reason or "operator typed FLATTEN")
        self.draw_soon()

    def _rearm_answered(self, reason: str | None) -> None:
        if reason is not None:
            is_over = self._desk.ended() or (self._view is not None and self._view.phase in OVER)
            over = is_over and self._bridge.rearm_stopped is not None
            self._errands.send(Act.REARM, reason, self._rearm_stopped if over else None)
        self.draw_soon()

    def _rearm_stopped(self, request: CommandRequest) -> Future[CommandReceipt]:
        """Re-arm a desk that is over: its books are opened for it, in a thread, because a disk may be slow."""
        assert self._bridge.rearm_stopped is not None
        answer: Future[CommandReceipt] = Future()

        def work(rearm: Callable[[str], CommandReceipt]) -> None:
            try:
                receipt = rearm(request.reason)
                self._cleared = receipt.accepted
                answer.set_result(receipt)
            except Exception as error:  # whatever keeps the books from it, the operator must read it
                answer.set_exception(error)

        threading.Thread(target=work, args=(self._bridge.rearm_stopped,), name="rearm", daemon=True).start()
        return answer

    def _stop_answered(self, name: str | None) -> None:
        if name in (STOP.name, KEEP.name):
            self._desk.stop("operator", keep_positions=name == KEEP.name)
            self._errands.remark("~ stop sent: the session ends in order")
        elif name == LEAVE.name:
            self._leave(Departure(Left.CLOSED))
        self.draw_soon()

    # --- ways out ---

    def terminal_gone(self) -> None:
        """The terminal was closed, or SIGHUP came."""
        if self.departure.left is not Left.HUNG_UP:
            self._tell(self._bridge.on_hangup)
            self._leave(Departure(Left.HUNG_UP))

    def terminal_ready(self) -> None:
        """The terminal may have missed output: send the whole screen again."""
        if self.is_running and self.screen_stack:
            self.screen.refresh(layout=True)
            self._soon = True

    def terminated(self) -> None:
        """SIGTERM came."""
        if self.departure.left is not Left.TERMINATED:
            self._tell(self._bridge.on_terminate or (lambda: self._desk.stop("SIGTERM")))
            self._leave(Departure(Left.TERMINATED))

    def _tell(self, hook: Callable[[], None] | None) -> None:
        if hook is not None:
            hook()

    def _leave(self, departure: Departure) -> None:
        if not self._exit:
            self.departure = departure
            self.exit()

    def _handle_exception(self, error: Exception) -> None:
        """A fault of the console ends the console alone. Its traceback is kept without the values of variables, which
        may be secrets, and is not drawn over the operator's screen."""
        if self.departure.left is not Left.FAILED:
            self.departure = Departure(Left.FAILED, "".join(traceback.format_exception(error)))
            self._exception = error
            self._exception_event.set()
        self._return_code = 1
        self._close_messages_no_wait()

    def _fatal_error(self) -> None:
        error = sys.exc_info()[1]
        self._handle_exception(error if isinstance(error, Exception) else RuntimeError("the console failed"))

    def panic(self, *renderables: Any) -> None:
        """Textual's way to end with something to print; nothing is printed over a terminal that may be gone."""
        self._fatal_error()
