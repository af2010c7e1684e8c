"""Keys to commands: each the right one, once; nothing dangerous by accident."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from console.actions import REFUSED
from console.app import Bridge, ConsoleApp, Left
from console.board import plain
from console.screens.help import HelpScreen
from console.screens.question import QuestionScreen
from console.seat import Seat
from console.text import ZONE
from console.travel.moves import Move
from engine.core.events import Act, SessionPhase
from engine.core.view import CommandReceipt, DeskView
from tests.console import sample_desk as sample
from tests.console.sample_desk import ScriptedDesk

MS = 1_000_000


class Driven:
    """A console without a clock of its own: the test says when a frame comes and how much later it is."""

    def __init__(self, desk: ScriptedDesk, **bridge: Any) -> None:
        self.desk = desk
        self.now_ns = 1_000_000 * MS
        self.app = ConsoleApp(desk, Bridge(actor="anna", **bridge), mono_ns=lambda: self.now_ns, beats=False)
        self.press: Callable[..., Any]
        self._pause: Callable[..., Any]

    @asynccontextmanager
    async def open(self, width: int = 80, height: int = 24) -> AsyncIterator["Driven"]:
        async with self.app.run_test(size=(width, height)) as pilot:
            self.press, self._pause = pilot.press, pilot.pause
            await self.after(0)
            yield self

    async def after(self, ms: int) -> None:
        """A frame, `ms` later."""
        self.now_ns += ms * MS
        self.app.beat()
        await self._pause()

    async def keys(self, *keys: str) -> None:
        await self.press(*keys)
        await self.after(250)

    @property
    def shown(self) -> str:
        """All the text of the screen on top."""
        return plain(self.app.screen.board.lines)  # type: ignore[attr-defined]

    @property
    def desk_shown(self) -> str:
        return plain(self.app._desk_screen.board.lines)

    def asked(self) -> bool:
        return isinstance(self.app.screen, QuestionScreen)


@pytest.mark.parametrize(("key", "act"), [("p", "pause"), ("P", "pause"), ("r", "resume"), ("R", "resume")])
async def test_a_harmless_key_sends_its_command_once_and_asks_nothing(key: str, act: str) -> None:
    async with Driven(ScriptedDesk()).open() as console:
        await console.keys(key)
        assert console.desk.acts == [act]
        assert not console.asked()
        assert f"{act} sent, waiting for the desk" in console.shown
        console.desk.answers[0].set_result(CommandReceipt(True, "so be it", took_us=300))
        await console.after(250)
        assert f"ok {act} in force in 0.3 ms" in console.shown


async def test_kill_takes_two_keys_and_tells_what_became_of_it() -> None:
    async with Driven(ScriptedDesk()).open() as console:
        await console.keys("K")
        assert console.asked()
        assert console.desk.commands == []
        for words in ("PAPER", "20260105-085556", "2 working orders cancelled", "3 open positions closed", "Cancel"):
            assert words in console.shown
        await console.after(300)
        await console.keys("y")
        assert not console.asked()
        assert console.desk.acts == ["kill"]
        console.desk.answers[0].set_result(CommandReceipt(True, "2 orders cancelled", took_us=900))
        await console.after(250)
        assert "kill in force in 0.9 ms" in console.shown


async def test_a_y_typed_before_the_question_could_be_read_is_thrown_away() -> None:
    """FO-11."""
    async with Driven(ScriptedDesk()).open() as console:
        await console.press("K", "y", "y", "y")
        await console.after(0)
        assert console.asked()
        assert console.desk.commands == []
        assert "came too early" in console.shown
        await console.after(300)
        await console.keys("y")
        assert console.desk.acts == ["kill"]


@pytest.mark.parametrize("key", ["enter", "escape", "n", "ctrl+c"])
async def test_the_harmless_answer_is_the_one_at_hand(key: str) -> None:
    async with Driven(ScriptedDesk()).open() as console:
        await console.keys("K")
        await console.after(300)
        await console.keys(key)
        assert not console.asked()
        assert console.desk.commands == []
        await console.keys("y")
        assert console.desk.commands == []


async def test_keys_typed_at_a_question_do_not_reach_the_desk() -> None:
    async with Driven(ScriptedDesk()).open() as console:
        await console.keys("K")
        await console.after(300)
        await console.press("p", "r", "K", "space", "x")
        await console.after(250)
        assert console.asked()
        assert console.desk.commands == []


async def test_a_question_closes_by_itself_after_fifteen_seconds() -> None:
    async with Driven(ScriptedDesk()).open() as console:
        await console.keys("K")
        await console.after(14_000)
        assert console.asked()
        assert "closes by itself in 1 s" in console.shown
        await console.after(1_000)
        assert not console.asked()
        await console.keys("y")
        assert console.desk.commands == []


async def test_a_key_held_down_asks_one_question() -> None:
    """FO-11."""
    async with Driven(ScriptedDesk()).open() as console:
        await console.press("K", "K", "K", "K")
        await console.after(300)
        await console.keys("escape")
        assert not console.asked()
        assert len(console.app.screen_stack) == 1


async def test_a_kill_without_receipt_goes_by_the_kill_file() -> None:
    written: list[str] = []

    def write() -> str:
        written.append("now")
        return "/desk/KILL_SWITCH"

    async with Driven(ScriptedDesk(), kill_fallback=write).open() as console:
        await console.keys("K")
        await console.after(300)
        await console.press("y")
        await console.after(250)
        while "kill file written" not in console.shown:
            await console.after(50)
        assert written == ["now"]


@pytest.mark.parametrize(("key", "keep"), [("y", False), ("o", True)])
async def test_stop_asks_first(key: str, keep: bool) -> None:
    async with Driven(ScriptedDesk()).open() as console:
        await console.keys("q")
        assert console.asked()
        assert "3 open positions and 2 working orders" in " ".join(console.shown.replace("┃", " ").split())
        await console.after(300)
        await console.keys(key)
        assert console.desk.stops == [("operator", keep)]
        assert console.app.is_running


async def test_stop_is_not_answered_by_enter() -> None:
    async with Driven(ScriptedDesk()).open() as console:
        await console.keys("q")
        await console.after(300)
        await console.keys("enter")
        assert console.desk.stops == []


async def test_while_the_session_ends_the_screen_can_be_left() -> None:
    desk = ScriptedDesk(sample.changed(sample.BUSY, phase=SessionPhase.SHUTTING_DOWN, phase_text="closing 3 positions"))
    async with Driven(desk).open() as console:
        await console.keys("q")
        assert "closing 3 positions" in console.shown
        await console.after(300)
        await console.press("l")
        await console._pause()
    assert console.app.departure.left is Left.CLOSED
    assert desk.stops == []


async def test_a_visitor_closes_only_the_console() -> None:
    desk = ScriptedDesk()
    async with Driven(desk, seat=Seat.OPERATOR).open() as console:
        await console.press("q")
        await console._pause()
    assert console.app.departure.left is Left.CLOSED
    assert desk.stops == []


async def test_help_opens_and_closes_and_keeps_the_keys() -> None:
    async with Driven(ScriptedDesk()).open() as console:
        await console.keys("question_mark")
        assert isinstance(console.app.screen, HelpScreen)
        assert "Lifts your pause" in console.shown
        await console.keys("p")
        assert console.desk.acts == ["pause"]
        await console.keys("escape")
        assert not isinstance(console.app.screen, HelpScreen)


async def test_a_kill_from_the_help_page_says_there_what_came_of_it() -> None:
    async with Driven(ScriptedDesk()).open() as console:
        await console.keys("question_mark", "K")
        await console.after(400)
        await console.keys("y")
        assert console.desk.acts == ["kill"]
        console.desk.answers[0].set_result(CommandReceipt(True, "killed: 2 orders being cancelled", 900))
        await console.after(250)
        assert isinstance(console.app.screen, HelpScreen)
        assert "kill in force" in console.shown and "killed: 2 orders" in console.shown


async def test_ctrl_c_only_speaks_and_ctrl_q_does_nothing() -> None:
    async with Driven(ScriptedDesk()).open() as console:
        await console.keys("ctrl+c")
        assert "q stops, K kills" in console.shown
        await console.keys("ctrl+q")
        assert console.app.is_running
        assert console.desk.commands == []


async def test_small_screens_still_pause_and_kill() -> None:
    """FO-11."""
    async with Driven(ScriptedDesk()).open(50, 14) as console:
        await console.keys("p")
        assert console.desk.acts == ["pause"]
        await console.keys("K")
        await console.after(300)
        assert "KILL" in console.shown
        assert "Cancel" in console.shown
        await console.keys("y")
        assert console.desk.acts == ["pause", "kill"]


async def test_what_the_desk_shows_follows_its_views() -> None:
    desk = ScriptedDesk(None)
    async with Driven(desk).open() as console:
        assert "waiting for the desk's first word" in console.shown
        desk.shown = sample.BUSY
        await console.after(250)
        assert "ok RUNNING" in console.shown
        desk.shown = sample.changed(sample.BLOCKED, at_ns=sample.NOW + 1)
        await console.after(125)
        assert "x HALTED" in console.shown


async def test_a_silent_desk_goes_stale_and_comes_back() -> None:
    desk = ScriptedDesk()
    async with Driven(desk).open() as console:
        await console.after(2_000)
        assert "STALE" not in console.shown
        await console.after(1_500)
        assert "x STALE 3s" in console.shown
        desk.shown = sample.changed(sample.BUSY, at_ns=sample.NOW + sample.SECOND)
        await console.after(250)
        assert "ok RUNNING" in console.shown


async def test_nothing_is_drawn_while_nothing_changes() -> None:
    desk = ScriptedDesk(sample.changed(sample.BUSY, phase=SessionPhase.COMPLETED))
    async with Driven(desk).open() as console:
        drawn = console.app._desk_screen.board.cells_drawn
        for _ in range(40):
            await console.after(250)
        assert console.app._desk_screen.board.cells_drawn == drawn


async def test_the_console_leaves_when_the_session_is_over() -> None:
    desk = ScriptedDesk()
    async with Driven(desk).open() as console:
        desk.over = True
        await console.after(125)
    assert console.app.departure.left is Left.ENDED


async def test_after_a_kill_the_screen_stays_until_the_operator_leaves() -> None:
    desk = ScriptedDesk()
    async with Driven(desk).open() as console:
        desk.shown = sample.changed(sample.KILLED, phase=SessionPhase.COMPLETED, at_ns=sample.NOW + 1)
        desk.over = True
        await console.after(250)
        assert console.app.is_running
        assert "x KILLED, ENDED" in console.shown
        await console.press("q")
        await console._pause()
    assert console.app.departure.left is Left.ENDED


async def test_a_run_that_began_under_the_latch_ends_like_any_other() -> None:
    desk = ScriptedDesk(sample.KILLED)
    async with Driven(desk).open() as console:
        desk.over = True
        await console.after(250)
    assert console.app.departure.left is Left.ENDED


@pytest.mark.parametrize("way", ["terminal_gone", "terminated"])
async def test_a_lost_terminal_or_a_signal_calls_its_hook_and_leaves(way: str) -> None:
    told: list[str] = []
    hooks = {"on_hangup": lambda: told.append("terminal_gone"), "on_terminate": lambda: told.append("terminated")}
    desk = ScriptedDesk()
    async with Driven(desk, **hooks).open() as console:
        getattr(console.app, way)()
        getattr(console.app, way)()
        await console._pause()
    assert told == [way]
    assert desk.stops == []
    assert console.app.departure.left.value == {"terminal_gone": "hung_up"}.get(way, way)


async def test_sigterm_without_a_hook_stops_the_desk() -> None:
    desk = ScriptedDesk()
    async with Driven(desk).open() as console:
        console.app.terminated()
        await console._pause()
    assert desk.stops == [("SIGTERM", False)]


async def test_a_fault_of_the_console_ends_it_without_telling_secrets() -> None:
    """FP-25, FS-10."""

    class FaultyDesk(ScriptedDesk):
        faulty = False

        def view(self) -> DeskView | None:
            secret = "hunter2".upper()
            if self.faulty:
                raise RuntimeError(f"broken after {len(secret)}")
            return super().view()

    desk = FaultyDesk()
    console = Driven(desk)
    with pytest.raises(RuntimeError, match="broken after 7"):
        async with console.open():
            desk.faulty = True
            await console.press("p")
            console.app.call_next(console.app.beat)
            await console._pause()
    assert console.app.departure.left is Left.FAILED
    assert "RuntimeError: broken after 7" in console.app.departure.fault
    assert "HUNTER2" not in console.app.departure.fault
    assert desk.acts == ["pause"]


@pytest.mark.parametrize("seat", [Seat.VIEWER, Seat.REPLAY])
async def test_who_only_looks_commands_nothing_and_is_told_so(seat: Seat) -> None:
    desk = ScriptedDesk()
    async with Driven(desk, seat=seat).open() as console:
        for key in ("p", "P", "r", "R", "K"):
            await console.keys(key)
            assert REFUSED[seat] in " ".join(console.shown.split())
            await console.after(13_000)
            assert REFUSED[seat] not in " ".join(console.shown.split())
        assert not console.asked()
        await console.press("q")
        await console._pause()
    assert console.app.departure.left is Left.CLOSED
    assert not desk.commands and not desk.stops


async def test_flatten_needs_the_typed_word_and_takes_a_reason() -> None:
    console = Driven(ScriptedDesk(sample.BUSY))
    async with console.open():
        await console.keys("f", "y", "enter")
        assert console.asked() and not console.desk.commands, "a key is no word"
        await console.keys("ctrl+u", *"FLATTEN", "enter")
        assert not console.asked()
        (request,) = console.desk.commands
        assert (request.act, request.reason) == (Act.FLATTEN, "operator typed FLATTEN")
        console.desk.answers[0].set_result(CommandReceipt(True, "closed"))
        await console.keys("f", *"FLATTEN", "space", *"news", "enter")
        assert console.desk.commands[-1].reason == "news"


async def test_escape_and_an_empty_line_flatten_nothing() -> None:
    console = Driven(ScriptedDesk(sample.BUSY))
    async with console.open():
        for keys in (("f", *"FLATTEN", "escape"), ("f", "enter"), ("f", *"flatten", "enter", "escape")):
            await console.keys(*keys)
            assert not console.asked() and not console.desk.commands


async def test_a_live_desk_asks_for_its_account_as_well() -> None:
    console = Driven(ScriptedDesk(sample.changed(sample.BUSY, env="live", account="3f2a91bc")))
    async with console.open(120, 40):
        await console.keys("f", *"FLATTEN", "enter")
        assert console.asked() and "FLATTEN 3f2a91bc" in console.shown
        await console.keys("space", *"3f2a91bc", "enter")
        assert [request.act for request in console.desk.commands] == [Act.FLATTEN]


async def test_rearming_needs_a_latch_a_word_and_a_reason() -> None:
    console = Driven(ScriptedDesk(sample.BUSY))
    async with console.open():
        await console.keys("a")
        assert not console.asked() and "nothing to re-arm" in console.shown
    console = Driven(ScriptedDesk(sample.KILLED))
    async with console.open():
        await console.keys("a", *"REARM", "enter")
        assert console.asked() and not console.desk.commands, "without a reason it is not done"
        await console.keys("space", *"fixed", "enter")
        (request,) = console.desk.commands
        assert (request.act, request.reason) == (Act.REARM, "fixed")


async def test_a_desk_that_is_over_is_rearmed_in_its_books() -> None:
    desk, reasons = ScriptedDesk(sample.KILLED), list[str]()

    def rearm(reason: str) -> CommandReceipt:
        reasons.append(reason)
        return CommandReceipt(True, "kill latch cleared")

    console = Driven(desk, rearm_stopped=rearm)
    async with console.open():
        console.app._errands.send(Act.KILL, "test")  # its screen stays although the session is over
        desk.over = True
        await console.after(250)
        await console.keys("a", *"REARM", "space", *"fixed", "enter")
        while not reasons or "cleared" not in console.shown:
            await console.after(10)
        assert "KILLED" not in console.shown.splitlines()[0]
        assert reasons == ["fixed"] and [request.act for request in desk.commands] == [Act.KILL]


async def test_times_are_written_in_local_time_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    console = Driven(ScriptedDesk(sample.BUSY))
    try:
        async with console.open():
            assert "12:03:07Z" in console.desk_shown or "12:03:07 UTC" in console.desk_shown
            await console.keys("u")
            assert "21:03:07L" in console.desk_shown or "21:03:07 local" in console.desk_shown
    finally:
        ZONE.is_local = False
        monkeypatch.undo()
        time.tzset()


async def test_numbers_turn_pages_escape_leads_back_and_a_kill_stands_above_a_filter() -> None:
    console = Driven(ScriptedDesk(sample.BUSY))
    async with console.open(120, 40):
        await console.keys("2")
        assert "─ Signals ─" in console.desk_shown and "Positions" not in console.desk_shown
        await console.keys("slash", *"pr")
        assert "filter  pr" in console.desk_shown and not console.desk.commands, "letters are text while one types"
        await console.keys("K")
        assert console.asked()
        await console.keys("escape")
        await console.keys("escape", "escape")
        assert "Positions" in console.desk_shown


class Travelled:
    """Notes where it is sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def move(self, move: Move) -> None:
        self.sent.append(move.value)

    def go(self, text: str) -> None:
        self.sent.append(text)


RECORDED = sample.changed(sample.BUSY, replay=sample.REPLAY)


async def test_every_move_through_a_recorded_run_has_its_key() -> None:
    travelled = Travelled()
    async with Driven(ScriptedDesk(RECORDED), seat=Seat.REPLAY, traveller=travelled).open() as console:
        await console.keys("space", "full_stop", "right", "comma", "left", "plus", "equals_sign", "minus")
        await console.keys(
            "right_square_bracket", "left_square_bracket", "right_curly_bracket", "left_curly_bracket", *"tTxXbBiI"
        )
        assert travelled.sent[:8] == ["play", "step", "step", "back", "back", "faster", "faster", "slower"]
        assert travelled.sent[8:12] == ["minute_on", "minute_back", "hour_on", "hour_back"]
        marks = ("trade", "rejection", "breaker", "incident")
        assert travelled.sent[12:] == [f"{way}_{mark}" for mark in marks for way in ("next", "last")]
        assert set(travelled.sent) == {move.value for move in Move}
        await console.keys("question_mark")
        for words in ("Plays the run, or pauses it.", "Goes to a moment you type", "nothing can be commanded"):
            assert words in " ".join(console.shown.split())


async def test_a_moment_is_typed_and_gone_to_or_not() -> None:
    travelled = Travelled()
    async with Driven(ScriptedDesk(RECORDED), seat=Seat.REPLAY, traveller=travelled).open() as console:
        await console.keys("g", "g", "1", "2", "colon", "0", "4", "backspace", "3")
        assert "> g12:03▏" in console.shown
        await console.keys("ctrl+u", *"50%")
        assert "> 50%▏" in console.shown
        await console.keys("enter")
        assert travelled.sent == ["50%"]
        await console.keys("g", "p", "space", "K", "escape")
        await console.keys("g", "enter")
        assert travelled.sent == ["50%"]
        assert not console.desk.commands


async def test_a_recorded_run_is_never_stale_and_never_looks_like_a_desk() -> None:
    async with Driven(ScriptedDesk(RECORDED), seat=Seat.REPLAY).open() as console:
        await console.after(60_000)
        assert "STALE" not in console.shown
        first = console.shown.splitlines()[0]
        assert first.startswith(" REPLAY  of paper ok RUNNING") and "PAPER" not in first


async def test_a_desk_knows_no_keys_of_a_recorded_run() -> None:
    async with Driven(ScriptedDesk()).open() as console:
        await console.keys("space", "t", "g", "full_stop")
        assert not console.desk.commands
        assert len(console.app.screen_stack) == 1


async def test_the_menu_does_by_name_what_keys_do() -> None:
    console = Driven(ScriptedDesk(sample.BUSY))
    async with console.open(120, 40):
        await console.keys("colon", *"signals")
        assert "> 2" in console.shown and not console.desk.commands
        await console.keys("enter")
        assert "─ Signals ─" in console.desk_shown
        await console.keys("colon", *"pause", "enter")
        assert console.desk.acts == ["pause"]
        await console.keys("colon", *"kill", "enter")
        assert console.asked(), "what asks by its key asks from the menu as well"
        await console.keys("escape", "colon", "K")
        assert console.asked(), "and its key stands above the menu"
        await console.keys("escape", "colon", *"no such thing", "enter", "escape")
        assert console.desk.acts == ["pause"]


async def test_a_theme_is_changed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = Driven(ScriptedDesk(sample.BUSY))
    async with console.open():
        board = console.app._desk_screen.board
        before = board.render_line(10)
        await console.keys("colon", *"theme day", "enter")
        after = board.render_line(10)
        assert before.text == after.text and before != after


async def test_what_a_kill_set_off_is_told_when_it_is_done() -> None:
    console = Driven(ScriptedDesk(sample.BUSY))
    async with console.open(120, 40):
        console.app._errands.send(Act.KILL, "test")
        console.desk.answers[0].set_result(CommandReceipt(True, "killed: 2 orders being cancelled", 900))
        await console.after(250)
        assert "flat" not in console.shown
        console.desk.shown = sample.changed(sample.KILLED, orders=(), positions=())
        await console.after(500)
        assert "done: flat, no order left, after" in " ".join(console.shown.split())


async def test_a_kill_of_what_is_over_does_not_reach_the_next_desk() -> None:
    written: list[str] = []

    def write() -> str:
        written.append("file")
        return "file"

    over = sample.changed(sample.KILLED, phase=SessionPhase.COMPLETED)
    console = Driven(ScriptedDesk(over), kill_fallback=write)
    async with console.open():
        console.app._errands.send(Act.KILL, "test")
        console.desk.answers[0].set_result(CommandReceipt(True, "killed"))
        console.desk.over = True
        await console.keys("K")
        assert not console.asked() and "nothing is left to stop" in console.shown
        assert not written


async def test_the_help_names_the_keys_of_the_page_and_all_pages() -> None:
    console = Driven(ScriptedDesk(sample.BUSY))
    async with console.open(120, 60):
        await console.keys("3", "question_mark")
        for words in (
            "Keys of Orders",
            "Keeps rows that have every word",
            "Orders, fills, trades.",
            "Risk: Every rule",
        ):
            assert words in " ".join(console.shown.split())


async def test_a_word_in_small_letters_is_told_what_is_missing() -> None:
    console = Driven(ScriptedDesk(sample.BUSY))
    async with console.open():
        await console.keys("f", *"flatten", "enter")
        assert console.asked() and "in capitals" in console.shown
