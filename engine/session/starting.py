"""The start of a run: connect, refuse what cannot be made good, begin on the desk's books, seed the history."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from engine.core.config import MINUTE, SECOND, CoreConfig
from engine.core.events import Act, Bar, RunStarted, SessionPhase
from engine.core.words import AlertKind, BlockReason
from engine.review.moments import instant
from engine.session.outputs import Outputs
from engine.session.plan import Plan
from engine.session.shell import Shell
from engine.session.tasks import OFFSET_NS_MAX
from engine.session.telling import crashed_text
from engine.venues.bitunix.seeding import Attempt, seed_history
from engine.venues.errors import VenueError

PAST_NS_MAX: Final = MINUTE  # a wall clock may be set back a little
BASE_SPAN_NS: Final = MINUTE
AWAY_BARS_MAX: Final = 7 * 24 * 60  # a week of minutes; what no bar tells of waits for the operator
WRONG_NS_MAX: Final = MINUTE  # a clock further from the venue's is wrong, and nothing is recorded by it

log = logging.getLogger("session")

T = TypeVar("T")


class StartFailed(Exception):
    """The start cannot be made good; the message names the cause and the cure."""


class Starting:
    """Starts one run around one shell. `enter` moves the session to another phase."""

    def __init__(self, plan: Plan, shell: Shell, outputs: Outputs, enter: Callable[[SessionPhase, str], None]) -> None:
        self._plan = plan
        self._shell = shell
        self._outputs = outputs
        self._enter = enter

    async def initialize(self) -> bool:
        """Connect, learn the instruments, and begin the run on the desk's books; whether it begins under a kill.

        It has not begun where the session was asked to end meanwhile.
        """
        plan, shell = self._plan, self._shell
        shell.phase_text = "connecting"
        if plan.feed is not None:
            await self.or_stop(plan.feed.connect())
            self._refuse_wrong_time(await self.or_stop(plan.feed.sync_time()))
            instruments = await self.or_stop(plan.feed.instruments()) or ()
            if plan.broker is not None:
                await self.or_stop(plan.broker.connect())
        else:
            assert plan.source is not None
            instruments = plan.source.instruments
        self._refuse_the_past(shell)
        await self._pass_the_books()
        if shell.stopping.is_set():
            return False
        config = plan.make_config(instruments)
        self._refuse_orphans(shell, config)
        latched = plan.store.recovered.kill_latched or plan.home.latch_file.exists()
        source = plan.kill_requested()
        killed = latched or source is not None
        begun = RunStarted(plan.clock.now_ns(), plan.folder.run_id, config, killed, source or "start")
        held = frozenset(symbol for symbol, one in shell.runner.engine.state.positions.items() if one.qty)
        shell.runner.take(begun)
        self._outputs.holds(held, shell.runner.engine.desk.calendar)
        shell.close_batch(snapshot=True)  # by itself in its batch: a replay of this run starts from here
        if plan.store.restored_text:
            shell.act(Act.BLOCK, plan.store.restored_text, BlockReason.RESTORED.value)
        if BlockReason.JOURNAL in shell.runner.engine.state.blocks:
            shell.act(Act.UNBLOCK, "the journal is written again", BlockReason.JOURNAL.value)
        plan.home.point_latest_at(plan.folder)
        self._outputs.started(plan.config_snapshot)
        if plan.lock.previous is not None:
            shell.alert(AlertKind.CRASHED, crashed_text(plan.lock.previous))
        return killed

    def _refuse_the_past(self, shell: Shell) -> None:
        """The books go forward in time: a market that begins before they end belongs into other books."""
        books_ns, now_ns = shell.runner.engine.state.at_ns, self._plan.clock.now_ns()
        if books_ns > now_ns + PAST_NS_MAX:
            raise StartFailed(
                f"the books in {self._plan.home.dir} have lived until {instant(books_ns)}, and this market begins at "
                f"{instant(now_ns)}; give it books of its own with --home DIR"
            )

    async def _pass_the_books(self) -> None:
        """Wait until a clock that was set back a little has passed the end of the books, whose time stands still."""
        shell, clock = self._shell, self._plan.clock
        behind_ns = shell.runner.engine.state.at_ns - clock.now_ns()
        if behind_ns <= 0 or clock.kind == "virtual":
            return
        shell.phase_text = f"waiting {behind_ns / SECOND:.0f} s: the clock is behind the books"
        log.warning("this machine's clock is %.1f s behind the books: the start waits for it", behind_ns / SECOND)
        await self.or_stop(clock.sleep(behind_ns))

    def _refuse_wrong_time(self, offset_ns: int | None) -> None:
        """A clock that is far off would put a wrong time on everything the desk records."""
        if offset_ns is None or abs(offset_ns) <= OFFSET_NS_MAX:
            return
        text = f"the venue's clock is {offset_ns / SECOND:+.1f} s from this machine's"
        if abs(offset_ns) > WRONG_NS_MAX:
            raise StartFailed(f"{text}: set this machine's clock (timedatectl set-ntp true), then start again")
        log.warning("%s", text)
        self._shell.alert(AlertKind.CLOCK, text)

    def _refuse_orphans(self, shell: Shell, config: CoreConfig) -> None:
        """A position the run would get no prices for could not be guarded: the start names it instead."""
        traded = {instrument.symbol for instrument in config.instruments}
        held = [symbol for symbol, position in shell.runner.engine.state.positions.items() if position.qty]
        orphans = ", ".join(symbol for symbol in held if symbol not in traded)
        if orphans:
            raise StartFailed(f"the books hold positions in {orphans}, which this run does not trade: add them to it")

    async def or_stop(self, work: Awaitable[T]) -> T | None:
        """Await `work`, or give up as soon as the session is asked to end."""
        shell = self._shell
        task = asyncio.ensure_future(work)
        stop = asyncio.create_task(shell.stopping.wait())
        try:
            await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            return None
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()

    async def seed(self) -> None:
        """Fetch the bars every indicator needs. They make no signal; too few of them end the start."""
        shell = self._shell
        self._enter(SessionPhase.SEEDING_HISTORY, "")
        view = await shell.show()
        if view is not None:
            self._outputs.tell(view)
        plan, symbols = self._plan, list(shell.runner.engine.desk.instruments)
        if plan.policy.bar_ns < BASE_SPAN_NS:
            log.info("bars of %d s are built from ticks: there is no history to seed", plan.policy.bar_ns // SECOND)
            return
        engine = shell.runner.engine
        look_back = [s.history * s.span_ns // BASE_SPAN_NS for s in engine.strategies]
        config = engine.desk.config
        returns = config.limits.correlation_window
        needed = max(plan.policy.min_history, config.phases.window, returns + 1, *look_back)
        for done, symbol in enumerate(symbols):
            shell.phase_text = f"history {done}/{len(symbols)} symbols"
            bars = await self._history(symbol, max(needed, self._away(symbol)))
            if shell.stopping.is_set():
                return
            if len(bars) < plan.policy.min_history:
                raise StartFailed(
                    f"{symbol}: {len(bars)} bars of history, {plan.policy.min_history} needed (min_history); "
                    "start later in the data, or lower min_history"
                )
            for bar in bars:
                shell.runner.take(bar)
            shell.settle(urgent=True)
            shell.publish()

    def _away(self, symbol: str) -> int:
        """How many bars tell what became of the symbol's position and orders while the desk was away."""
        until_ns = self._shell.runner.engine.state.away.until.get(symbol)
        if until_ns is None:
            return 0
        return min((self._plan.clock.now_ns() - until_ns) // BASE_SPAN_NS + 1, AWAY_BARS_MAX)

    async def _history(self, symbol: str, count: int) -> list[Bar]:
        plan = self._plan
        if plan.feed is not None:
            work = seed_history(plan.feed, symbol, BASE_SPAN_NS, count, self._tell_attempt)
            try:
                seed = await self.or_stop(work)
            except VenueError as problem:
                raise StartFailed(f"{symbol}: no history: {problem}") from problem
            return list(seed.usable) if seed is not None else []
        assert plan.source is not None
        return plan.source.history(symbol, BASE_SPAN_NS, plan.clock.now_ns(), count)

    def _tell_attempt(self, attempt: Attempt) -> None:
        if attempt.problem is not None:
            log.warning(
                "history of %s, attempt %d of %d: %s", attempt.symbol, attempt.number, attempt.of, attempt.problem
            )
