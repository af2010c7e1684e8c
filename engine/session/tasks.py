"""The nine tasks of a running session, by name. Each does one thing until it is cancelled; four of them watch the desk
itself and are in `watching`.

A task that ends by itself, or raises, ends the session (`task_failed:<name>`): the session's supervisor
sees to that. In virtual time the market task drives the core in lockstep, and the timer task has nothing to wait for.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import msgspec

from engine.core.events import Act, AnyEvent, BrokerEvent, FundingRate, OrderRefused
from engine.core.facts import Amend, AnyEffect, Cancel, Query, Submit
from engine.core.times import until_step
from engine.core.words import AlertKind, BlockReason, ReasonCode
from engine.session.dead_letters import DayPayload, DeadLetters, Operation, WeekPayload, operations_on
from engine.session.lanes import Lane
from engine.session.listing import changes
from engine.session.live_gate import why
from engine.session.outputs import Outputs
from engine.session.plan import Plan, Source
from engine.session.ports import Broker, Feed
from engine.session.runner import BATCH_EVENTS_MAX
from engine.session.shell import Shell
from engine.session.volatility import BadIndex, VolatilityReader
from engine.session.watching import BEAT_NS, Watching
from engine.session.work import MARKET_DATA, WorkLog
from engine.venues.errors import HeldBack, VenueError

BATCHES_AHEAD: Final = 2  # how far a market on virtual time may be ahead of a slow disk
BALANCE_EVERY_SECONDS: Final = 10  # of the desk's clock
BALANCE_SECONDS_MIN: Final = 0.2
FUNDING_RATE_DEFAULT: Final = 10_000  # 0.01 %
TIMER_CHECK_NS: Final = 500_000_000
TIMER_SECONDS_MIN: Final = 0.001
OFFSET_NS_MAX: Final = 5_000_000_000  # the venue's clock may be this far from ours
SYNC_EVERY_NS: Final = 3_600_000_000_000
VOLATILITY_REFRESH_NS: Final = 60_000_000_000

log = logging.getLogger("session")


class Tasks:
    """The work of the nine tasks, around one shell."""

    def __init__(self, plan: Plan, shell: Shell, outputs: Outputs, volatility: VolatilityReader) -> None:
        self._plan = plan
        self._shell = shell
        self._volatility = volatility
        self._outputs = outputs
        operations = {
            **operations_on(plan.store),
            Operation.DAY: self._write_days,
            Operation.WEEK: self._write_weeks,
        }
        self._letters = DeadLetters(plan.store, plan.clock, operations, self._letter_kept)
        self._work = WorkLog(plan.clock)
        self._watching = Watching(plan, shell, outputs, self._work)
        self._lanes: defaultdict[str, Lane] = defaultdict(Lane)  # of each symbol's orders
        self._clock_is_far = False  # the venue's is far from ours, and that was told

    def all(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """Every task by its name; from now on each one owes its work."""
        watching = self._watching
        self._work.begin()
        return {
            "market_data_task": self.market_data,
            "execution_task": self.execution,
            "watchdog_task": watching.watchdog,
            "heartbeat_task": watching.heartbeat,
            "timer_task": self.timer,
            "kill_switch_task": watching.kill_switch,
            "stale_data_task": watching.stale_data,
            "funding_task": self.funding,
            "checkpoint_task": self.checkpoint,
        }

    # --- market data ---

    async def market_data(self) -> None:
        """Bring the market to the core."""
        if self._plan.source is not None:
            await self._drive(self._plan.source)
            await asyncio.Event().wait()
        assert self._plan.feed is not None
        async for events in self._plan.feed.events():
            self._shell.inbox.put(events)
            self._work.did(MARKET_DATA)

    async def _drive(self, source: Source) -> None:
        """Lockstep: the data's own time is the clock, nothing is conflated, commands come in between chunks."""
        shell, clock = self._shell, self._plan.clock
        end_ns = shell.started_ns + self._plan.policy.duration_ns if self._plan.policy.duration_ns else 0
        for chunk in source.events(shell.started_ns):
            events: Sequence[AnyEvent] = chunk
            cut = bool(end_ns and events and events[-1].at_ns >= end_ns)
            if cut:
                events = [event for event in events if event.at_ns < end_ns]
            events = self._volatility.among(events)
            if events:
                clock.set(events[0].at_ns)  # type: ignore[attr-defined]  # a source comes with a virtual clock
                shell.runner.drive(events)
                clock.set(events[-1].at_ns)  # type: ignore[attr-defined]
            asks = shell.runner.has_effects
            if asks or shell.runner.open_events >= BATCH_EVENTS_MAX:
                shell.settle()
            if asks or shell.in_flight > BATCHES_AHEAD:
                await shell.durable()  # what the core asked for happens before the market goes on: it may be to stop
            shell.step()
            self._work.did(MARKET_DATA)
            await asyncio.sleep(0)
            if cut:
                break
            if shell.stopping.is_set():
                return
        shell.stop("duration_complete" if end_ns and clock.now_ns() >= end_ns - BEAT_NS else "data_complete", 0)

    # --- orders out ---

    async def execution(self) -> None:
        """Perform orders once their intent is durable; what the venue answers comes back as events."""
        async with asyncio.TaskGroup() as group:
            if self._plan.broker is not None:
                group.create_task(self._follow(self._plan.broker), name="broker-events")
                group.create_task(self._poll_balance(self._plan.broker), name="broker-balance")
                group.create_task(self._read_books(self._plan.broker), name="broker-books")
            while True:
                durable, effects = await self._shell.outgoing.get()
                await asyncio.wait([durable])
                if durable.exception() is None:
                    self._send(effects, group)

    async def _follow(self, broker: Broker) -> None:
        """Bring the broker's own messages to the core."""
        async for events in broker.events():
            for event in events:
                self._shell.inbox.put_first(event)

    async def _poll_balance(self, broker: Broker) -> None:
        """Read the account again and again; while it cannot be read, the newest figure ages and at last denies."""
        seconds = max(BALANCE_SECONDS_MIN, BALANCE_EVERY_SECONDS / _speed(self._plan.clock))
        while True:
            await asyncio.sleep(seconds)
            try:
                self._shell.inbox.put_first(await broker.balance())
            except VenueError as problem:
                log.warning("the account's balance could not be read: %s", problem)

    async def _read_books(self, broker: Broker) -> None:
        """Read the broker's own books whenever the core asks for them; it asks again if they could not be read."""
        shell = self._shell
        while True:
            await shell.reads.wait()
            shell.reads.clear()
            try:
                shell.inbox.put_first(await broker.books(shell.to_read))
            except VenueError as problem:
                log.warning("the broker's books could not be read: %s", problem)

    def _send(self, effects: Sequence[AnyEffect], group: asyncio.TaskGroup) -> None:
        broker = self._plan.broker
        assert broker is not None, "orders leave only through a venue's broker"
        for effect in effects:
            assert not isinstance(effect, Amend), "no venue's broker takes amends: resting_stops is off with one"
            if isinstance(effect, Submit | Cancel | Query):
                lane = self._lanes[effect.symbol]
                call = self._call(broker, effect, lane.enter(cancels=isinstance(effect, Cancel)))
                lane.add(group.create_task(call, name=f"order-{effect.order_id}"))

    async def _call(
        self, broker: Broker, effect: Submit | Cancel | Query, before: Sequence[asyncio.Task[None]]
    ) -> None:
        """One call, once those before it are over."""
        if before:
            await asyncio.wait(before)
        with self._work.call():
            if isinstance(effect, Submit):
                answers: Sequence[BrokerEvent] = await self._submit(broker, effect)
            elif isinstance(effect, Cancel):
                answers = await broker.cancel(effect)
            else:
                answers = await broker.query(effect)
        for answer in answers:
            self._shell.inbox.put_first(answer)

    async def _submit(self, broker: Broker, order: Submit) -> Sequence[BrokerEvent]:
        gate, live = self._shell.gate, ""

        def passes(order: Submit) -> bool:
            nonlocal live
            if not gate.passes(order):
                return False
            live = self._live_refusal(order)
            return not live

        try:
            return await broker.submit(order, passes)
        except HeldBack:
            code = ReasonCode.KILLED if gate.slammed else ReasonCode.PAUSED
            if self._shell.emergency.is_on:
                code = ReasonCode.JOURNAL
            text = "the gate was closed before it left"
            if live:
                code, text = ReasonCode.GATE_DENIED, live
            return [OrderRefused(order.order_id, self._plan.clock.now_ns(), code.value, text)]

    def _live_refusal(self, order: Submit) -> str:
        """Why a live order may not leave by the live gate; empty if it may, or is none."""
        live = self._plan.live
        if live is None:
            return ""
        state = self._shell.runner.engine.state
        position = state.positions.get(order.symbol)
        held = position.qty if position is not None else 0
        return live.refusal(order, state.symbols[order.symbol].last, held, self._plan.clock.now_ns())

    # --- time ---

    async def timer(self) -> None:
        """Wake the core when it asked for it, bring it what the volatility index says, end the run in time."""
        shell, clock, duration_ns = self._shell, self._plan.clock, self._plan.policy.duration_ns
        while clock.kind == "virtual":  # the market brings the time, and wakes the core by it
            self._work.did("timer_task")
            await asyncio.sleep(TIMER_CHECK_NS / 1e9)
        end_ns = duration_ns and clock.now_ns() + duration_ns - self._running_ns()
        refreshed_ns = clock.mono_ns()
        while True:
            now_ns = clock.now_ns()
            if clock.mono_ns() - refreshed_ns >= VOLATILITY_REFRESH_NS:
                refreshed_ns = clock.mono_ns()
                await self._refresh_volatility()
            if 0 < shell.runner.wake_ns <= now_ns:
                shell.runner.wake(now_ns)
                shell.settle()
            if 0 < self._volatility.due_ns <= now_ns:
                self._read_volatility(now_ns)
            if duration_ns and self._running_ns() >= duration_ns:
                shell.stop("duration_complete", 0)
            self._work.did("timer_task")
            await self._until_due(end_ns)

    def _running_ns(self) -> int:
        """How long the session has been running, of the desk's time."""
        return (self._plan.clock.mono_ns() - self._shell.running_mono_ns) * _speed(self._plan.clock)

    async def _until_due(self, end_ns: int) -> None:
        """Sleep until the core wants to be woken or the run ends, but look about every `TIMER_CHECK_NS`.

        A suspended machine stops the loop's clock and not the desk's.
        """
        runner, clock = self._shell.runner, self._plan.clock
        runner.sooner.clear()
        left_ns = [due_ns - clock.now_ns() for due_ns in (runner.wake_ns, end_ns) if due_ns]
        look_ns = until_step(clock.mono_ns(), TIMER_CHECK_NS)
        seconds = min([look_ns, *(ns / _speed(clock) for ns in left_ns)]) / 1e9
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(TIMER_SECONDS_MIN, seconds)):
                await runner.sooner.wait()

    async def _refresh_volatility(self) -> None:
        """A file that has grown is read again; one that has become bad is told, and what was read before counts on."""
        try:
            await asyncio.to_thread(self._volatility.refresh)
        except BadIndex as bad:
            self._shell.error("volatility", str(bad), bad)

    def _read_volatility(self, now_ns: int) -> None:
        read = self._volatility.read(now_ns)
        if read is not None:
            self._shell.runner.take(read)
            self._shell.settle()

    async def _look_at_listing(self, feed: Feed) -> None:
        """See whether the venue still lists the run's symbols as it did, and tell the core where it does not."""
        try:
            listing = await feed.listing()
        except VenueError as problem:
            log.warning("the venue was not asked for its contracts: %s", problem)
            return
        engine = self._shell.runner.engine
        told = changes(engine.desk.instruments, engine.state.symbols, listing, self._plan.clock.now_ns())
        self._shell.inbox.put(told)

    async def _sync_time(self, feed: Feed) -> None:
        """Compare clocks with the venue; far apart is told, once until they are near again."""
        try:
            offset_ns = await feed.sync_time()
        except VenueError as problem:
            log.warning("the venue was not asked for its time: %s", problem)
            return
        was_far, self._clock_is_far = self._clock_is_far, offset_ns is not None and abs(offset_ns) > OFFSET_NS_MAX
        if offset_ns is not None and self._clock_is_far and not was_far:
            text = f"the venue's clock is {offset_ns / 1e9:+.1f} s from ours"
            self._shell.error("clock", text)
            self._shell.alert(AlertKind.CLOCK, text)

    async def funding(self) -> None:
        """Where the venue gives no funding rate for a perpetual, the assumed one stands in; hourly, compare clocks and
        contracts."""
        shell, clock = self._shell, self._plan.clock
        synced_ns = clock.mono_ns()
        while True:
            if self._plan.feed is not None and clock.mono_ns() - synced_ns >= SYNC_EVERY_NS:
                synced_ns = clock.mono_ns()
                await self._sync_time(self._plan.feed)
                await self._look_at_listing(self._plan.feed)
            for symbol, known in shell.runner.engine.state.symbols.items():
                instrument = shell.runner.engine.desk.instruments[symbol]
                if known.funding is None and instrument.funding_interval_ns:
                    now_ns = clock.now_ns()
                    due_ns = (now_ns // instrument.funding_interval_ns + 1) * instrument.funding_interval_ns
                    shell.inbox.put([FundingRate(symbol, now_ns, FUNDING_RATE_DEFAULT, due_ns)])
            self._work.did("funding_task")
            await asyncio.sleep(60)

    async def checkpoint(self) -> None:
        """A snapshot after every ten seconds of activity; what is to be told of each day and each week that is over;
        every hour a backup, and what failed before once more."""
        policy, clock = self._plan.policy, self._plan.clock
        backed_up_ns = clock.mono_ns()
        await self._look_at_protocol()
        if self._letters.due():
            await asyncio.to_thread(self._retry_letters)
        while True:
            await asyncio.sleep(policy.checkpoint_ns / 1e9)
            self._shell.close_batch(snapshot=True)
            self._work.did("checkpoint_task")
            await self._tell_days()
            await self._sum_up_weeks()
            await self._look_at_protocol()
            await self._look_at_live_gate()
            if clock.mono_ns() - backed_up_ns >= policy.backup_ns:
                backed_up_ns = clock.mono_ns()
                await asyncio.to_thread(self._letters.do, Operation.BACKUP)
                await asyncio.to_thread(self._retry_letters)

    async def _look_at_protocol(self) -> None:
        """See how the protocol stands, for whoever looks; a record that cannot be read now is read the next time."""
        if self._plan.protocol is None:
            return
        try:
            self._shell.protocol = await asyncio.to_thread(self._plan.protocol.look)
        except Exception as error:  # whatever it was, the protocol is judged from the record in the end
            self._shell.error("protocol", f"its standing could not be read: {error}", error)

    async def _tell_days(self) -> None:
        """Have the artifacts of the days that are over written and sealed, once their last fact is durable."""
        days = self._outputs.days
        if days.is_due(self._shell.runner.engine.state.day):
            await self._shell.durable()
            payload = msgspec.json.encode(DayPayload(str(self._plan.home.artifacts), dict(days.given))).decode()
            await asyncio.to_thread(self._letters.do, Operation.DAY, payload)

    async def _look_at_live_gate(self) -> None:
        """Work the live gate's standing out anew: evidence grows old, and what it is bound to changes."""
        live = self._plan.live
        if live is not None and await asyncio.to_thread(live.look):
            self._shell.alert(
                AlertKind.GATE_CHANGED, f"{live.standing.level}: {why(live.standing) or 'all of it holds'}"
            )
            self.follow_live_gate()

    def follow_live_gate(self) -> None:
        """Stop entries while the live gate allows no order at all, and say so where it is bypassed."""
        live, shell = self._plan.live, self._shell
        if live is None:
            return
        standing = live.standing
        is_blocked = BlockReason.LIVE_GATE in shell.runner.engine.state.blocks
        if not standing.allows and not is_blocked:
            shell.act(Act.BLOCK, f"{standing.level}: {why(standing)}", BlockReason.LIVE_GATE.value)
        elif standing.allows and is_blocked:
            shell.act(Act.UNBLOCK, f"the live gate is {standing.level}", BlockReason.LIVE_GATE.value)
        if standing.bypassed:
            shell.alert(AlertKind.GATE_BYPASSED, why(standing))

    async def _sum_up_weeks(self) -> None:
        """Have the weeks that are over written, once their last day is durable."""
        outputs = self._outputs
        if outputs.weeks.is_due(self._shell.runner.engine.state.day):
            await self._shell.durable()
            payload = msgspec.json.encode(WeekPayload(str(self._plan.home.artifacts))).decode()
            await asyncio.to_thread(self._letters.do, Operation.WEEK, payload)
        outputs.tell_weeks()

    def _write_days(self, _: str) -> None:
        self._outputs.days.write()

    def _write_weeks(self, _: str) -> None:
        self._outputs.weeks.write(self._shell.alert)

    def _letter_kept(self, where: str, text: str, error: BaseException) -> None:
        self._shell.error_anywhere(where, text, error)
        self._shell.alert(AlertKind.DEAD_LETTER, text)

    def _retry_letters(self) -> None:
        """What waits from earlier, each once more; alerts have their own couriers."""
        self._letters.retry(self._letters.due())


def _speed(clock: object) -> int:
    return int(getattr(clock, "speed", 1)) or 1
