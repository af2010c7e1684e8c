"""The end of a run, in steps: each is bounded in time, and one that fails is told and does not skip the later ones.

Say that the session ends, cancel working orders, wait for pending fills, cancel the tasks, close positions, record the
last event; then the connections, which outlive the tasks so that the broker's answers still come.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from engine.core.events import Act, PhaseEntered, SessionPhase
from engine.core.operator import AT_LAST_PRICE, ENTRIES
from engine.session.clock import VirtualClock
from engine.session.plan import Plan
from engine.session.shell import Shell

PENDING_FILLS_SECONDS: Final = 2.0
CONFIRM_SECONDS: Final = 8.0  # a venue may take so long to confirm what was cancelled
CLOSE_SECONDS: Final = 5.0
STEP_SECONDS: Final = 10.0

log = logging.getLogger("session")


class Ending:
    """Ends one run around one shell.

    Args:
        running: The tasks by name, the pump among them; none where the session never ran.
        keep_positions: Whether the operator wants positions left open.
        enter: Moves the session to another phase, and says whether positions are kept.
        tell_late_ends: Tells of tasks that ended since it was last asked, and gives what was wrong with them.
    """

    def __init__(
        self,
        plan: Plan,
        shell: Shell,
        running: Mapping[asyncio.Task[None], str],
        keep_positions: Callable[[], bool],
        enter: Callable[[SessionPhase, str, bool], None],
        tell_late_ends: Callable[[], list[str]],
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._running = running
        self._keep_positions = keep_positions
        self._enter = enter
        self._tell_late_ends = tell_late_ends

    async def run(self, reason: str, *, begun: bool) -> list[str]:
        """Take every step; what went wrong, in words. Where the run never began there are only connections to close."""
        problems: list[str] = []
        steps: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("say that the session ends", lambda: self._say_ending(reason)),
            ("cancel working orders", self._cancel_orders),
            ("wait for pending fills", self._await_fills),
            ("cancel the tasks", self._cancel_tasks),
            ("close positions", lambda: self._close_positions(reason)),
            ("complete", lambda: self._complete(reason)),
        ]
        if self._shell.broken:
            steps = [("cancel the tasks", self._cancel_tasks)]  # nothing the core says now may be written or sent
        for name, step in steps if begun else ():
            try:
                await asyncio.wait_for(step(), STEP_SECONDS)
            except Exception as error:
                problems.append(f"{name}: {error!r}")
                log.exception("shutdown step failed: %s", name)
            problems += self._tell_late_ends()
        await self._close_connections(problems)
        await self._end_the_rest()
        return problems + self._tell_late_ends()

    async def _say_ending(self, reason: str) -> None:
        shell = self._shell
        shell.phase_text = reason
        self._enter(SessionPhase.SHUTTING_DOWN, reason, self._keeps())

    async def _cancel_orders(self) -> None:
        shell = self._shell
        if shell.working_orders():
            shell.act(Act.CANCEL_ALL, "the session is ending", ENTRIES if self._keeps() else "")

    async def _await_fills(self) -> None:
        """Until nothing works any more that was to be cancelled; what a venue has not confirmed by then is named."""
        at_venue, keeps = self._plan.broker is not None, self._keeps()
        seconds = CONFIRM_SECONDS if at_venue else PENDING_FILLS_SECONDS
        await self._until(lambda shell: not shell.working(keeps=keeps), seconds)
        left = self._shell.working(keeps=keeps)
        if left and at_venue:
            text = f"{len(left)} orders are not known to be cancelled and may still work: {', '.join(left)}"
            self._shell.error("shutdown", text)
            self._shell.step()

    async def _cancel_tasks(self) -> None:
        """Everything but the connections, the pump and, for a venue's broker, the way its answers come."""
        keep = "execution_task" if self._plan.broker is not None else ""
        ending = [task for task, name in self._running.items() if name not in (keep, "pump") and not task.done()]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending, timeout=STEP_SECONDS / 2)

    async def _end_the_rest(self) -> None:
        """Nothing goes on behind the end: the pump and the way of a broker's answers, too."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=STEP_SECONDS / 2)

    def _keeps(self) -> bool:
        """Whether the desk is to leave its positions, and the orders that protect them, as they are."""
        shell = self._shell
        killed_and_kept = shell.runner.engine.state.killed and not shell.runner.engine.desk.config.kill_closes
        return killed_and_kept or self._keep_positions()

    async def _close_positions(self, reason: str) -> None:
        shell = self._shell
        if not shell.open_positions() or self._keeps():
            return
        shell.act(Act.CLOSE_ALL, reason)
        shell.step()
        await self._until(lambda shell: not shell.closable_positions(), CLOSE_SECONDS)
        if shell.closable_positions() and self._plan.broker is None:
            shell.act(Act.CLOSE_ALL, reason, AT_LAST_PRICE)
            shell.step()
        if shell.closable_positions():
            shell.error("shutdown", f"{shell.closable_positions()} positions could not be closed and stay open")
            shell.step()
        waiting = shell.open_positions() - shell.closable_positions()
        if waiting:
            log.warning("%d positions stay open because their market is closed; the next run closes them", waiting)

    async def _until(self, done: Callable[[Shell], bool], seconds: float) -> None:
        """Let time pass, waking the core when it asks, until `done` or `seconds` of the clock are over."""
        shell, clock = self._shell, self._plan.clock
        shell.step()
        end_ns = clock.now_ns() + int(seconds * 1e9) * max(1, clock.speed)
        while not done(shell) and clock.now_ns() < end_ns:
            if isinstance(clock, VirtualClock):
                if not 0 < shell.runner.wake_ns <= end_ns:
                    return
                clock.set(shell.runner.wake_ns)
            shell.runner.wake(clock.now_ns())
            shell.step()
            await asyncio.sleep(0 if isinstance(clock, VirtualClock) else 0.01)

    async def _complete(self, reason: str) -> None:
        """The last event of the run, and a snapshot of everything with it."""
        shell = self._shell
        for task in self._running:
            task.cancel()
        shell.step()
        shell.runner.take(PhaseEntered(self._plan.clock.now_ns(), shell.phase, SessionPhase.COMPLETED, reason))
        shell.close_batch(snapshot=True)
        await shell.durable()

    async def _close_connections(self, problems: list[str]) -> None:
        plan = self._plan
        closing: list[tuple[str, Callable[[], Awaitable[None]] | None]] = [
            ("broker", plan.broker.close if plan.broker else None),
            ("feed", plan.feed.close if plan.feed else None),
            ("venue", plan.close_venue),
        ]
        for name, close in closing:
            if close is None:
                continue
            try:
                await asyncio.wait_for(close(), STEP_SECONDS)
            except Exception as error:
                problems.append(f"closing the {name}: {error!r}")
