"""One seed from beginning to end: trouble, then none, and what must have held all the while."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from unittest import mock

import msgspec

from engine.core.engine import Engine
from engine.core.events import Act, AnyEvent, SessionPhase
from engine.core.facts import AnyEffect, AnyFact, Submit
from store.database import reading
from tests.simulator.checks import Violation, Watcher
from tests.simulator.disk import MoodyEmergency, MoodyJournal
from tests.simulator.loop import NothingLeft, VirtualLoop
from tests.simulator.surroundings import surroundings
from tests.simulator.trouble import Trouble
from tests.simulator.world import ORIGIN_NS, World

SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
CALM_S: Final = 5.0  # before the first fault
CONVERGE_S: Final = 180.0  # after the last one
END_S: Final = 60.0  # to stop in order
LONG_S: Final = 1_800.0  # from so much trouble on
LONG_PACE_S: Final = 5  # the market is this slow; faults, restarts and checks are as many as ever


class Outcome(msgspec.Struct, frozen=True):
    """How a seed ended. `problem` is empty when all held."""

    seed: int
    problem: str
    trace: str  # hash of every row of the journal
    simulated_s: float
    real_s: float
    events: int
    entries: int
    lives: int
    faults: dict[str, int]
    log: tuple[str, ...]
    core_s: float = 0.0  # processor time, all in
    peak_kib: int = 0  # memory


class _Watched(Engine):
    """The core, looked at after every event."""

    watcher: Watcher
    world: World

    def handle(self, event: AnyEvent) -> list[AnyFact | AnyEffect]:
        out = super().handle(event)
        if self.world.desk.session._shell is not None:
            self.watcher.saw(self, event, out)
        return out


def run_seed(seed: int, folder: Path, trouble_s: float, kinds: tuple[str, ...] = ()) -> Outcome:
    """Run one seed; `trouble_s` is how long faults go on. Kills processes' remains stay in memory: see `loop`."""
    began = time.perf_counter()
    random.seed(seed)
    logging.getLogger().setLevel(logging.CRITICAL)
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    dice = random.Random(f"world {seed}")
    wire = dice.random() < 0.7
    pace_s = 1 if trouble_s < LONG_S else LONG_PACE_S
    world = World(seed, folder, loop, wire=wire, symbols=SYMBOLS[: dice.randrange(1, 4)], pace_s=pace_s)
    watcher, trouble = Watcher(world), Trouble(world, kinds)
    engine = type("Watched", (_Watched,), {"watcher": watcher, "world": world})
    problem = ""
    record = type("Record", (MoodyEmergency,), {"lines_left": lambda _: world.record_lines})
    with (
        surroundings(loop, ORIGIN_NS),
        mock.patch("engine.session.session.Engine", engine),
        mock.patch("engine.session.session.Emergency", record),
    ):
        course = _Course(world, watcher, trouble)
        try:
            loop.run_until_complete(course.whole(trouble_s))
        except (Violation, NothingLeft) as wrong:
            problem = f"{type(wrong).__name__}: {wrong}"
        problem = watcher.problem or problem or course.problem
    return Outcome(
        seed=seed,
        problem=problem,
        trace=_trace(world),
        simulated_s=loop.now,
        real_s=time.perf_counter() - began,
        events=watcher.events,
        entries=watcher.entries,
        lives=world.lives,
        faults=dict(trouble.used),
        log=tuple(trouble.log),
    )


class _Course:
    """What happens to a world, in order."""

    def __init__(self, world: World, watcher: Watcher, trouble: Trouble) -> None:
        self.world = world
        self.watcher = watcher
        self.trouble = trouble
        self.problem = ""
        self._restarting = True

    async def whole(self, trouble_s: float) -> None:
        world = self.world
        world.loop.set_exception_handler(self._stray)
        await world.open_venue()
        self._watch_venue()
        self._start()
        keeper = asyncio.create_task(self._keep())
        keeper.add_done_callback(self._noticed)
        await asyncio.sleep(CALM_S)
        faults = asyncio.create_task(self.trouble.run())
        faults.add_done_callback(self._noticed)
        await self._until(trouble_s)
        faults.cancel()
        self.trouble.note("healed")
        self.trouble.heal()
        await self._converge()
        self._restarting = False
        keeper.cancel()
        await self._end()
        self.watcher.books()
        self.watcher.replays(lambda core: (world.trader(core.instruments),))

    async def _until(self, seconds: float) -> None:
        end = self.world.loop.now + seconds
        while self.world.loop.now < end:
            await asyncio.sleep(1)
            self._raise()

    def _noticed(self, task: asyncio.Task[None]) -> None:
        """What the keeper or a fault raised is a problem of the seed."""
        if not task.cancelled() and task.exception() is not None:
            self.problem = self.problem or f"{task.exception()}"

    def _raise(self) -> None:
        problem = self.watcher.problem or self.problem
        if problem:
            raise Violation(problem)

    def _stray(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.problem = self.problem or f"stray: {context.get('message')}: {error!r}"

    def _watch_venue(self) -> None:
        account = self.world.account
        place = account.place

        def placed(ask: Any, at_ns: int) -> Any:
            if ask.client_id:
                self.watcher.reached(ask.client_id)
            return place(ask, at_ns)

        account.place = placed

    # --- lives ---

    def _start(self) -> None:
        life = self.world.start_desk()  # what an emergency record holds is in the journal from here
        self.watcher.born()
        life.store.journal = MoodyJournal(life.store, self.world.loop)  # type: ignore[assignment]
        object.__setattr__(life.session.plan.store, "journal", life.store.journal)
        self._watch_broker(life.session.plan.broker)
        self.trouble.note(f"desk {self.world.lives} starts")

    def _watch_broker(self, broker: Any) -> None:
        if broker is None:
            return
        submit = broker.submit

        async def watched(order: Submit, passes: Callable[[Submit], bool]) -> Any:
            def told(leaving: Submit) -> bool:
                may_leave: bool = passes(leaving)
                if may_leave:
                    self.watcher.leaves(leaving)
                return may_leave

            return await submit(order, told)

        broker.submit = watched

    async def _keep(self) -> None:
        """Start the desk again whenever it has ended."""
        while True:
            await asyncio.sleep(1)
            life = self.world.desk
            if life.is_over and self._restarting:
                self._look_at_end(life)
                await asyncio.sleep(self.trouble.dice.uniform(0.5, 10))
                self._start()

    def _look_at_end(self, life: Any) -> None:
        if life.process.is_dead:
            self.trouble.note("desk died")
            return
        error = life.task.exception()
        shell = life.session._shell
        self.trouble.note(f"desk ended: {shell.stop_reason if shell else None} {life.session.failure} {error!r}")
        if error is not None:
            raise Violation(f"the session raised {error!r}")
        if shell is not None and shell.stop_reason is not None:
            reason = shell.stop_reason[0]
            if reason.startswith("task_failed") or reason == "core_failed":
                raise Violation(f"the session ended by {reason}")

    # --- the end ---

    async def _converge(self) -> None:
        """The operator lifts what he may; then the desk has to trade again and be at one with the venue."""
        world = self.world
        end, entries = world.loop.now + CONVERGE_S, self.watcher.entries
        wrong = ["never looked"]
        while world.loop.now < end:
            await asyncio.sleep(5)
            self._raise()
            if world.desk.is_over or not world.desk.has_begun:
                continue
            state = world.desk.state
            if state.phase is not SessionPhase.RUNNING:
                wrong = [f"the session is {state.phase}"]
                continue
            if state.killed:
                world.command(Act.REARM, "all is well again")
            self._settle_by_hand()
            for act in (Act.RESUME, Act.RESET_BREAKER):
                world.command(act, "all is well again")
            await asyncio.sleep(2)
            wrong = [f"blocked by {reason}: {block.text}" for reason, block in state.blocks.items()]
            wrong += self.watcher.settled()
            if self.watcher.entries == entries:
                wrong.append("nothing was entered since")
            if not wrong:
                return
        raise Violation(f"not settled {CONVERGE_S:g} s after the last fault: {'; '.join(wrong)}")

    def _settle_by_hand(self) -> None:
        """What only people can settle: orders that are not the desk's, and what was done at the venue by hand."""
        world = self.world
        for order in list(world.account.working.values()):
            if world.wire and not order.client_id:
                world.account.cancel(order, world.venue.clock.now_ns())
        for key, suspect in world.desk.state.comparison.suspects.items():
            if suspect.id and key.split()[0] in ("position", "cash"):
                world.command(Act.RECONCILE, "done by hand", suspect.id)

    async def _end(self) -> None:
        life = self.world.desk
        life.session.stop("SIGTERM")
        assert life.task is not None
        await asyncio.wait([life.task], timeout=END_S)
        if not life.task.done():
            raise Violation("the session did not stop")
        if life.task.exception() is not None:
            raise Violation(f"the session raised {life.task.exception()!r}")
        self._raise()
        if self.world.wire and self.world.account.books.positions:
            raise Violation(f"positions stay open at the venue: {self.world.account.books.positions}")


def _trace(world: World) -> str:
    digest = sha256()
    with reading(world.home.database) as connection:
        for row in connection.execute("SELECT seq, kind, at_ns, body FROM journal WHERE kind <> 'report' ORDER BY id"):
            digest.update(repr(row).encode())
    return digest.hexdigest()
