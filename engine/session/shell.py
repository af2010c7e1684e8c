"""The shell around one core: it carries events in, batches to the disk, and effects, receipts and views out.

It decides nothing. One step takes what waits in the inbox to the core; a batch closes at once when an effect or a
receipt waits for it, after a quarter of a second when something was decided or booked in it, and when it is large.
Market data that led to nothing waits five seconds for more of it, which takes a fifth of the room; a crash loses prices
that nothing rests on. What rests on a batch leaves when the journal says it is durable. If the journal cannot say so,
the gate closes, the emergency record takes what the journal may lack, and the session ends in order on that record. If
that fails too, nothing leaves any more: what the core knows beyond the disk is thrown away, and the next start rebuilds
it.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

import msgspec

from engine.core.clean import clean
from engine.core.events import Act, AnyEvent, Command, ErrorNoted, SessionPhase
from engine.core.facts import (
    Alert,
    Amend,
    AnyEffect,
    Cancel,
    OperatorActed,
    Query,
    ReadAccount,
    StopSession,
    Submit,
)
from engine.core.operator import BY_THE_SHELL
from engine.core.view import CommandReceipt, DeskView, HeartbeatView, NoteView, ProtocolView
from engine.core.words import AlertKind, BlockReason, OrderState, Severity
from engine.session.alerting.alerts import Alerts
from engine.session.alerting.kinds import KINDS
from engine.session.api.process import ApiProcess
from engine.session.emergency import Emergency
from engine.session.fingerprints import fingerprint
from engine.session.gate import Gate
from engine.session.gauges import Gauge, Memory
from engine.session.inbox import Inbox
from engine.session.live_gate import GATE_LEVEL, LiveGate
from engine.session.notes import note
from engine.session.ports import Batch, Clock, CommandRequest, Committed
from engine.session.probing import Probing
from engine.session.runner import BATCH_EVENTS_MAX, Closed, Runner
from engine.session.validation import at_moment
from engine.session.viewing import Progress, RunFacts, desk_view

FLUSH_SECONDS: Final = 0.25
MARKET_SECONDS: Final = 5.0
SHOW_SECONDS: Final = 0.5
TELL_SECONDS: Final = 0.002  # a few turns of the loop, in which an order leaves
STEP_EVENTS_MAX: Final = 256
VIEW_EVERY_NS: Final = 200_000_000
NOTES_KEPT: Final = 200
CONFIRM_NS: Final = 180_000_000  # an operator who has no answer after 250 ms takes another way
CONFIRM_STEP_SECONDS: Final = 0.01
OUTGOING: Final = (Submit, Cancel, Amend, Query)

NEXT_KILLED: Final = "killed: the desk is ending, and the next one stays killed until it is re-armed"
UNLATCHED: Final = (
    "killed: the desk is ending; but nothing can be recorded, so the next one is not killed by this: start it with "
    "NIGHTDESK_KILL_SWITCH=TRUE, or make room and kill again"
)

log = logging.getLogger("session")


class Waiting(msgspec.Struct):
    """A command whose receipt is owed: when it came, and what the core said."""

    future: Future[CommandReceipt]
    received_ns: int  # monotonic
    accepted: bool = False
    text: str = ""
    took_us: int = 0
    kills: bool = False


class Pending(msgspec.Struct):
    """A batch that is not durable yet, and what waits for that: orders on `durable`, receipts, a view."""

    closed: Closed
    durable: asyncio.Future[Committed]
    owed: Sequence[Waiting]
    view: DeskView | None
    since_ns: int  # monotonic


class Shell:
    """Carries for one run. Belongs to the engine's loop; only `view` and `command` may be called from other threads.

    Attributes:
        outgoing: Batches whose orders wait for `execution_task`, with the promise that they will be durable.
        in_flight: How many closed batches are not durable yet, or not yet told of.
        to_read: Why the broker's books are to be read, as the core asked last; `reads` is set when it has.
        warnings: What a person should know of that is no illness, by what it is about; shown until the run ends.
        protocol: The validation protocol as it was last looked at; None: the desk runs under none.
        live: The live gate of a desk whose orders go to a venue live; None: its orders are paper. `gate_level` is the
            level the evidence had at the start.
        replaced: Files of the program that are other ones than those it was started from.
        alerting: What tells people; it hears of every command of a person.
        endpoint: Where signed commands are taken from; None: nowhere.
        emergency: What stands in for the journal once that has failed.
        journal_error: What the journal failed with; empty while all is well.
        broken: Nothing can be recorded any more, or the core has failed: nothing is certain, and nothing leaves.
        paused_ns: When the guard last noticed that the whole process had stood still, by the monotonic clock; 0: never.
        stop_reason: Why the session is to end, once it is: (reason, exit code).
    """

    def __init__(
        self,
        runner: Runner,
        run: RunFacts,
        clock: Clock,
        on_written: Callable[[Batch], None],
        on_latch: Callable[[bool], Future[bool]],
        on_alert: Callable[[AlertKind, str, int], None],
        emergency: Emergency,
        rows: int,
        head: str,
    ) -> None:
        self.runner = runner
        self.run = run
        self.clock = clock
        self.inbox = Inbox()
        self.gate = Gate()
        self.outgoing: asyncio.Queue[tuple[asyncio.Future[Committed], Sequence[AnyEffect]]] = asyncio.Queue()
        self.to_read = ""
        self.reads = asyncio.Event()
        self.stopping = asyncio.Event()
        self.stop_reason: tuple[str, int] | None = None
        self.paused_ns = 0
        self.decision_us = Gauge()
        self.commit_us = Gauge()
        self.loop_lag_us = Gauge()
        self.beat_late_us = Gauge()
        self.memory = Memory()
        self.heartbeat = HeartbeatView()
        self.started_ns = 0
        self.running_mono_ns = 0
        self.phase_text = "opening"
        self.rows, self.head = rows, head
        self.broken = False
        self.emergency = emergency
        self.endpoint: ApiProcess | None = None
        self.alerting: Alerts | None = None
        self.replaced: tuple[str, ...] = ()
        self.warnings: dict[str, str] = {}
        self.protocol: ProtocolView | None = None
        self.live: LiveGate | None = None
        self.gate_level = GATE_LEVEL
        self.journal_error = ""  # why the journal takes nothing any more
        self._on_written = on_written
        self._on_latch = on_latch
        self._on_alert = on_alert
        self._loop = asyncio.get_running_loop()
        self._probing = Probing()
        self._notes: deque[NoteView] = deque(maxlen=NOTES_KEPT)
        self._view: DeskView | None = None
        self._viewed_ns = 0
        self._looked = True  # somebody has asked for a view since the last one was built
        self._is_over = False
        self._waiting: dict[int, Waiting] = {}  # by identity of the command in the inbox
        self._owed: list[Waiting] = []
        self._flush: asyncio.TimerHandle | None = None
        self._durable = asyncio.Event()
        self._durable.set()
        self.in_flight = 0
        self._pending: deque[Pending] = deque()  # in the order of their batches
        self._untold: deque[tuple[Closed, DeskView | None]] = deque()  # durable, not yet logged and shown

    # --- what an operator's side calls, from any thread ---

    def view(self) -> DeskView | None:
        """The newest durable view; None before the run has begun."""
        self._looked = True
        return self._view

    def command(self, request: CommandRequest) -> Future[CommandReceipt]:
        """Send a command; the receipt comes once it is durable. A kill closes the gate before anything else."""
        if request.act is Act.KILL:
            self.gate.slam()
        future: Future[CommandReceipt] = Future()
        received_ns = self.clock.mono_ns()
        try:
            self._loop.call_soon_threadsafe(self._post, request, future, received_ns)
        except RuntimeError:  # the loop is closed: the desk is gone
            future.set_result(CommandReceipt(False, "the desk has ended"))
        return future

    def request_stop(self, reason: str, exit_code: int) -> None:
        """Ask the session to end; the first reason stands. Safe from any thread."""
        self._loop.call_soon_threadsafe(self.stop, reason, exit_code)

    # --- events in ---

    def _post(self, request: CommandRequest, future: Future[CommandReceipt], received_ns: int) -> None:
        event = Command(
            self.clock.now_ns(), request.act, request.source, request.actor, request.reason, request.subject
        )
        if self.broken or self._is_over or (request.act is Act.KILL and not self.has_begun):
            self._act_alone(request.act, future, received_ns)
            return
        self._waiting[id(event)] = Waiting(future, received_ns)
        self.inbox.put_first(event)

    @property
    def has_begun(self) -> bool:
        """Whether the core has been told of the run: from then on it acts on commands."""
        return self.runner.engine.state.run_id == self.run.run_id

    def end(self) -> None:
        """The core takes nothing more. A command that still waits for it gets its answer, and a kill is latched."""
        self._is_over = True
        for event in self.inbox.take(len(self.inbox)):
            waiting = self._waiting.pop(id(event), None)
            if waiting is not None and isinstance(event, Command):
                self._act_alone(event.act, waiting.future, waiting.received_ns)

    def _act_alone(self, act: Act, future: Future[CommandReceipt], received_ns: int) -> None:
        """Answer a command without the core: a kill is latched all the same, and a start does not go on."""
        if act is not Act.KILL:
            why = "the journal has failed; " if self.broken else ""
            future.set_result(CommandReceipt(False, f"{why}the desk is ending"))
            return
        took_us = (self.clock.mono_ns() - received_ns) // 1000

        def told(latched: Future[bool]) -> None:
            text = NEXT_KILLED if latched.result() else UNLATCHED
            future.set_result(CommandReceipt(True, text, took_us))

        self._on_latch(True).add_done_callback(told)
        self.stop("kill_switch", 0)

    def act(self, act: Act, reason: str, subject: str = "") -> None:
        """An act of the session itself, on the desk's behalf."""
        self.inbox.put_first(Command(self.clock.now_ns(), act, "session", "nightdesk", reason, subject))

    def error(self, where: str, text: str, error: BaseException | None = None) -> None:
        """Log and count an error of the shell, once; with `error` its class is part of the fingerprint."""
        log.error("%s: %s", where, text)
        self._count_error(where, text, error)

    def count_error(self, where: str, text: str, error: BaseException | None = None) -> None:
        """Count an error that is in the log already. Safe from any thread."""
        self._loop.call_soon_threadsafe(self._count_error, where, text, error)

    def error_anywhere(self, where: str, text: str, error: BaseException) -> None:
        """Log and count an error. Safe from any thread."""
        log.error("%s: %s", where, text)
        self.count_error(where, text, error)

    def _count_error(self, where: str, text: str, error: BaseException | None) -> None:
        self.inbox.put_first(ErrorNoted(self.clock.now_ns(), where, clean(text), fingerprint(where, text, error)))

    def alert(self, kind: AlertKind, text: str, at_ns: int = 0) -> None:
        """Log an alert and send it on its way; `at_ns`: when it happened, else now. Safe from any thread."""
        words = KINDS[kind]
        level = logging.INFO if words.severity is Severity.INFO else logging.WARNING
        log.log(level, "ALERT %s: %s", words.title, text)
        self._on_alert(kind, text, at_ns)

    def stop(self, reason: str, exit_code: int) -> None:
        """Ask the session to end; the first reason stands."""
        if self.stop_reason is None:
            self.stop_reason = (reason, exit_code)
            self.stopping.set()

    # --- the steps ---

    async def pump(self) -> None:
        """Step whenever something waits, until cancelled."""
        while True:
            await self.inbox.wait()
            self.step()
            await asyncio.sleep(0)

    def step(self) -> None:
        """Take what waits to the core, and close the batch if something waits for it."""
        for event in self.inbox.take(STEP_EVENTS_MAX):
            if isinstance(event, Command):
                self._take_command(event)
            else:
                begun_ns = self.clock.mono_ns()
                self.runner.take(event)
                self.decision_us.add((self.clock.mono_ns() - begun_ns) // 1000)
        self.settle()

    def take_now(self, event: AnyEvent) -> None:
        """Take one event at once and make it durable as soon as can be: phases, the start of a run."""
        self.runner.take(event)
        self.settle(urgent=True)

    def _take_command(self, event: Command) -> None:
        waiting = self._waiting.pop(id(event), None)
        now_ns = self.runner.engine.state.at_ns if self.clock.kind == "virtual" else event.at_ns
        out = self.runner.take(msgspec.structs.replace(event, at_ns=now_ns))
        acted = next(item for item in out if isinstance(item, OperatorActed))
        self._follow_gate()
        if self.alerting is not None and event.source != BY_THE_SHELL:
            self.alerting.answered()
        if event.act is Act.KILL:
            self._on_latch(True)
        elif event.act is Act.REARM and acted.accepted:
            self.gate.rearm()
            self._on_latch(False)
        if waiting is None:
            return
        waiting.accepted, waiting.text = acted.accepted, acted.text
        waiting.took_us = (self.clock.mono_ns() - waiting.received_ns) // 1000
        waiting.kills = event.act is Act.KILL
        self._owed.append(waiting)

    def _follow_gate(self) -> None:
        state = self.runner.engine.state
        self.gate.follow(bool(state.blocks) or state.killed)

    def settle(self, urgent: bool = False) -> None:
        """Close the batch when it is time: at once for effects and receipts, else by size or age."""
        runner = self.runner
        self._follow_gate()
        if urgent or self._owed or runner.has_effects or runner.open_events >= BATCH_EVENTS_MAX:
            self.close_batch()
        elif runner.has_facts:
            self._close_within(FLUSH_SECONDS)
        elif runner.open_events:
            self._close_within(MARKET_SECONDS)
            self._follow_prices()

    def _close_within(self, seconds: float) -> None:
        """Close the open batch by then, if it is not to be closed earlier."""
        due = self._loop.time() + seconds
        if self._flush is None or due < self._flush.when():
            if self._flush is not None:
                self._flush.cancel()
            self._flush = self._loop.call_at(due, self.close_batch)

    def _follow_prices(self) -> None:
        """Show prices that are not durable yet, now and then: nothing but prices differs from what is."""
        now_ns = self.clock.mono_ns()
        if self._looked and now_ns - self._viewed_ns >= VIEW_EVERY_NS and self.in_flight == 0:
            self._viewed_ns, self._looked = now_ns, False
            self._view = self.build_view()

    def close_batch(self, snapshot: bool = False) -> None:
        """Hand the open batch over; publish, answer and perform what rests on it once it is durable."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if self.broken:
            return
        closed = self.runner.close(snapshot)
        if closed is None:
            return
        owed, self._owed = self._owed, []
        view = self._next_view(closed, bool(owed))
        self.in_flight += 1
        self._durable.clear()
        pending = Pending(closed, self._loop.create_future(), owed, view, self.clock.mono_ns())
        self._pending.append(pending)
        if any(isinstance(effect, OUTGOING) for effect in closed.effects):
            self.outgoing.put_nowait((pending.durable, closed.effects))
        asyncio.wrap_future(closed.committed, loop=self._loop).add_done_callback(
            lambda done: self._settled(pending, done)
        )

    def waits_ns(self) -> int:
        """How long the oldest batch has waited for the disk; 0 when everything closed is durable."""
        return self.clock.mono_ns() - self._pending[0].since_ns if self._pending else 0

    async def durable(self) -> None:
        """Until everything closed so far is durable, or the journal has failed."""
        await self._durable.wait()

    def _next_view(self, closed: Closed, urgent: bool) -> DeskView | None:
        """A view of the batch, if one is due and anybody looks; a beat of the heart has one in any case."""
        now_ns = self.clock.mono_ns()
        is_due = bool(closed.effects) or now_ns - self._viewed_ns >= VIEW_EVERY_NS
        if not urgent and not (is_due and self._looked):
            return None
        self._viewed_ns, self._looked = now_ns, False
        return self.build_view()

    def build_view(self) -> DeskView:
        """The desk as it stands in memory; show it only once what was decided and booked in it is durable."""
        elapsed_ns = (self.clock.mono_ns() - self.running_mono_ns) * self.clock.speed if self.running_mono_ns else 0
        if self.clock.kind == "virtual" and self.started_ns:
            elapsed_ns = self.clock.now_ns() - self.started_ns
        self._probing.ask(self.runner.engine, self.clock.mono_ns())
        progress = Progress(
            at_ns=self.clock.now_ns(),
            started_ns=self.started_ns,
            elapsed_ns=elapsed_ns,
            phase_text=self.phase_text,
            heartbeat=self.heartbeat,
            notes=tuple(self._notes)[:60],
            journal_rows=self.rows,
            journal_head=self.head,
            probes=self._probing.probes,
            probed=self._probing.probed,
            protocol=self.protocol and at_moment(self.protocol, self.clock.now_ns()),
            gate_level=self.live.standing.level.value if self.live else self.gate_level,
        )
        return desk_view(self.runner.engine, self.run, progress)

    async def show(self) -> DeskView | None:
        """Show the newest state as soon as it is durable; gives up waiting after `SHOW_SECONDS`. What is shown now."""
        before, has_facts, self._viewed_ns = self._view, self.runner.has_facts, 0
        if has_facts:
            self.close_batch()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._durable.wait(), SHOW_SECONDS)
        if not has_facts or self._view is before:  # the batch, if there was one, had no view of its own
            self.publish()
        return self._view

    def publish(self) -> None:
        """Show the newest state now, when nothing of it but prices waits for the disk."""
        if self.in_flight == 0 and not self.runner.has_facts:
            self._view = self.build_view()

    # --- after the disk ---

    def _settled(self, pending: Pending, done: asyncio.Future[Committed]) -> None:
        error = done.exception()
        if pending.durable.done():
            return  # the emergency record has it, or nothing has
        if error is None:
            assert self._pending.popleft() is pending, "batches become durable in their order"
            self._committed(pending, done.result())
        elif self.emergency.is_on:
            self._record_lost(error)
        else:
            self._journal_failed(error)

    def _committed(self, pending: Pending, committed: Committed) -> None:
        closed, owed = pending.closed, pending.owed
        pending.durable.set_result(committed)
        self.rows, self.head = committed.rows, committed.head
        self.commit_us.add(committed.took_us)
        self._untold.append((closed, pending.view))
        if any(isinstance(effect, OUTGOING) for effect in closed.effects):
            self._loop.call_later(TELL_SECONDS, self._tell)
        elif len(self._untold) == 1:
            self._tell()
        for waiting in owed:
            self._answer(waiting)
        for effect in closed.effects:
            self._perform(effect)

    def _tell(self) -> None:
        """Log and show what is durable, in order. It takes milliseconds, so orders that leave with it go first."""
        while self._untold:
            closed, view = self._untold.popleft()
            try:
                self._tell_one(closed, view)
            finally:
                self._landed()

    def _tell_one(self, closed: Closed, view: DeskView | None) -> None:
        for seq, fact in closed.batch.facts:
            line = note(seq, fact)
            if line is not None:
                self._notes.appendleft(line)
        self._on_written(closed.batch)
        if view is not None:
            self._view = msgspec.structs.replace(
                view, journal_rows=self.rows, journal_head=self.head, notes=tuple(self._notes)[:60]
            )

    def _landed(self) -> None:
        """A batch is over and done with."""
        self.in_flight -= 1
        if self.in_flight == 0:
            self._durable.set()

    def _answer(self, waiting: Waiting) -> None:
        """Give the receipt; that of a kill waits a moment for the cancels to be confirmed, then names the others."""
        pending = self._pending_cancels() if waiting.kills else ()
        if pending and self.clock.mono_ns() - waiting.received_ns < CONFIRM_NS:
            self._loop.call_later(CONFIRM_STEP_SECONDS, self._answer, waiting)
            return
        waiting.future.set_result(CommandReceipt(waiting.accepted, waiting.text, waiting.took_us, pending))

    def _pending_cancels(self) -> tuple[str, ...]:
        """Orders that were to be cancelled and are not yet known to be."""
        orders = self.runner.engine.state.orders.values()
        return tuple(o.order_id for o in orders if o.state in (OrderState.PENDING_CANCEL, OrderState.UNKNOWN))

    def _perform(self, effect: AnyEffect) -> None:
        """Effects that stay in the process; orders go through `execution_task`."""
        if isinstance(effect, StopSession):
            self.stop(effect.reason, effect.exit_code)
        elif isinstance(effect, ReadAccount):
            self.to_read = effect.trigger
            self.reads.set()
        elif isinstance(effect, Alert):
            self.alert(effect.kind, effect.text, effect.at_ns)

    def _journal_failed(self, error: BaseException) -> None:
        """The outcome of a batch is unknown: entries stop at once, and what reduces risk goes on, on another record."""
        self.gate.slam()
        log.critical("the journal failed, the session ends: %s", error)
        self._count_error("journal", str(error), error)
        self.alert(AlertKind.JOURNAL, str(error))
        self.journal_error = str(error)
        try:
            self.emergency.begin(self.rows, self.head)
            while self._pending:
                committed = self.emergency.commit(self._pending[0].closed.batch).result()
                self._committed(self._pending.popleft(), committed)
        except OSError as lost:
            self._record_lost(lost)
            return
        self.runner.write_to(self.emergency)
        if self.has_begun:
            self.act(Act.BLOCK, f"the journal cannot be written: {error}", BlockReason.JOURNAL.value)
        self.stop("journal_failed", 1)

    def _record_lost(self, error: BaseException) -> None:
        """Neither the journal nor the emergency record takes anything: nothing may leave, and nothing new may start."""
        self.gate.slam()
        if not self.broken:
            self.broken = True
            log.critical("nothing can be recorded any more, the session ends: %s", error)
            self.alert(AlertKind.JOURNAL, f"nothing can be recorded any more: {error}")
            self.stop("journal_failed", 1)
        while self._pending:
            pending = self._pending.popleft()
            pending.durable.set_exception(error)
            pending.durable.exception()  # nobody may be waiting for it
            for waiting in pending.owed:
                waiting.future.set_result(CommandReceipt(False, f"not recorded: {error}", waiting.took_us))
            self._landed()

    # --- figures for the session ---

    @property
    def phase(self) -> SessionPhase:
        return self.runner.engine.state.phase

    def working_orders(self) -> int:
        return len(self.runner.engine.state.orders)

    def working(self, *, keeps: bool) -> list[str]:
        """The ids of orders that work or may work; `keeps`: those alone that enter, or that wait for an answer."""
        orders = self.runner.engine.state.orders.values()
        return [order.order_id for order in orders if not keeps or order.awaits or not order.reduce_only]

    def open_positions(self) -> int:
        return len(self.runner.engine.state.holdings)

    def closable_positions(self) -> int:
        """Open positions whose market is open."""
        engine = self.runner.engine
        return sum(engine.desk.is_open(symbol) for symbol in engine.state.holdings)
