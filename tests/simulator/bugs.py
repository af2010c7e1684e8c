"""Bugs planted in the product, one at a time, to try the simulator itself: each must be found within a few seeds."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final
from unittest import mock

from engine.core import money
from engine.core.blotter import Blotter
from engine.core.candidates import Candidates
from engine.core.desk import Desk
from engine.core.events import Fill, OrderCanceled, OrderMissing, OutcomeUnknown
from engine.core.exits import Exits
from engine.core.holdings import Holdings
from engine.core.ledger import Ledger
from engine.core.operator import Operator
from engine.core.orders import Trigger
from engine.core.positions import Position
from engine.core.reconciliation import Reconciliation
from engine.core.safety import Safety
from engine.core.words import BlockReason, OrderState
from engine.session.gate import Gate
from engine.session.inbox import Inbox
from engine.session.ports import Committed
from engine.session.runner import Runner
from engine.session.shell import Shell
from engine.session.tasks import Tasks
from engine.venues.bitunix.broker import BitunixBroker
from engine.venues.bitunix.orders import Orders, Tracked
from store.rejoin import Rejoined
from store.writer import JournalWriter

HINTS: Final[dict[str, tuple[str, ...]]] = {
    "an_order_that_was_not_found_is_forgotten": ("slow_answers", "flapping"),
    "resuming_lifts_every_block": ("pause", "slow_answers", "reply_lost"),
    "a_kill_leaves_what_works_working": ("kill", "restarted"),
    "the_gate_stays_open": ("slow_disk", "kill"),
    "the_books_are_never_compared": ("traded_by_hand",),
    "a_discrepancy_is_told_and_stops_nothing": ("traded_by_hand",),
    "a_deadline_goes_by_the_machines_clock": ("clock_steps", "killed"),
}
"""Faults without which a bug does no harm; all kinds for a bug that is not named here."""

Bug = Callable[[], AbstractContextManager[object]]
BUGS: Final[dict[str, Bug]] = {}


def bug(make: Callable[[], Iterator[None]]) -> Bug:
    """Enter a bug in the table under its own name."""
    planted = contextmanager(make)
    BUGS[make.__name__] = planted
    return planted


def _instead(owner: Any, name: str, what: Any) -> AbstractContextManager[object]:
    return mock.patch.object(owner, name, what)


# --- orders and fills ---


@bug
def a_fill_is_booked_every_time_it_is_told() -> Iterator[None]:
    claim = Blotter.claim

    def forgetful(self: Blotter, fill: Fill) -> Any:
        self._desk.state.fills_seen.pop(fill.fill_id, None)
        return claim(self, fill)

    with _instead(Blotter, "claim", forgetful):
        yield


@bug
def fills_are_told_apart_by_price_and_quantity() -> Iterator[None]:
    claim = Blotter.claim

    def alike(self: Blotter, fill: Fill) -> Any:
        key = f"{fill.symbol} {fill.price} {abs(fill.qty)}"
        if key in self._desk.state.fills_seen:
            return None
        order = claim(self, fill)
        self._desk.state.fills_seen[key] = None
        return order

    with _instead(Blotter, "claim", alike):
        yield


@bug
def an_unknown_order_counts_as_cancelled() -> Iterator[None]:
    answer = Blotter.answer

    def guesses(self: Blotter, event: Any) -> Any:
        if isinstance(event, OutcomeUnknown):
            event = OrderCanceled(event.client_order_id, event.at_ns)
        return answer(self, event)

    with _instead(Blotter, "answer", guesses):
        yield


@bug
def a_lost_order_is_sent_again_under_a_new_id() -> Iterator[None]:
    submit = BitunixBroker.submit

    async def again(self: BitunixBroker, order: Any, passes: Any) -> Any:
        import msgspec

        answers = await submit(self, order, passes)
        if isinstance(answers[0], OutcomeUnknown):
            await submit(self, msgspec.structs.replace(order, order_id=order.order_id + "r"), passes)
        return answers

    with _instead(BitunixBroker, "submit", again):
        yield


@bug
def an_order_that_was_not_found_is_forgotten() -> Iterator[None]:
    query = BitunixBroker.query

    async def forgets(self: BitunixBroker, order: Any) -> Any:
        answers = await query(self, order)
        if isinstance(answers[-1], OrderMissing):
            self._orders.drop(self._orders.track(order.order_id, order.symbol))
        return answers

    with _instead(BitunixBroker, "query", forgets):
        yield


@bug
def fills_while_away_are_not_asked_for() -> Iterator[None]:
    with _instead(Blotter, "doubt_all", lambda self: None):
        yield


@bug
def a_queue_drops_a_broker_message_when_it_is_long() -> Iterator[None]:
    put_first, count = Inbox.put_first, [0]

    def drops(self: Inbox, event: Any) -> None:
        count[0] += isinstance(event, Fill)
        if isinstance(event, Fill) and count[0] % 7 == 0:
            return
        put_first(self, event)

    with _instead(Inbox, "put_first", drops):
        yield


@bug
def the_adapter_takes_what_it_read_for_what_it_told() -> Iterator[None]:
    tell = Tracked.tell

    def swallows(self: Tracked, row: Any, fills: Any, at_ns: int, *, everything: bool) -> Any:
        if fills and not everything:
            self.told.update({fill.trade_id: fill.qty for fill in fills[:1]})
        return tell(self, row, fills, at_ns, everything=everything)

    with _instead(Tracked, "tell", swallows):
        yield


@bug
def open_orders_are_not_looked_at_after_a_reconnect_or_a_push() -> Iterator[None]:
    with _instead(Orders, "open", lambda self: iter(())), _instead(Orders, "find", lambda self, *ids: None):
        yield


# --- kill, pause and the gate ---


@bug
def a_pause_is_forgotten() -> Iterator[None]:
    block = Safety.block

    def forgets(self: Safety, reason: Any, *args: Any, **named: Any) -> None:
        block(self, reason, *args, **named)
        if reason.value == "operator":
            self._desk.state.blocks.pop(reason, None)

    with _instead(Safety, "block", forgets):
        yield


@bug
def entries_go_on_while_blocked() -> Iterator[None]:
    with _instead(Safety, "standing", lambda self: ((), "")):
        yield


@bug
def a_kill_is_looked_at_too_late() -> Iterator[None]:
    import engine.core.risk as risk

    rules = tuple(rule for rule in risk.RULES if rule.name not in ("kill", "block"))
    with _instead(risk, "RULES", rules):
        yield


@bug
def resuming_lifts_every_block() -> Iterator[None]:
    def resumes(self: Operator, command: Any) -> tuple[bool, str]:
        for reason in list(self._desk.state.blocks):
            self._safety.unblock(BlockReason(reason), "resumed", command.actor)
        return True, "entries resumed"

    with _instead(Operator, "_resume", resumes):
        yield


@bug
def a_kill_leaves_what_works_working() -> Iterator[None]:
    nothing = lambda self, why: None  # noqa: E731
    with _instead(Blotter, "cancel_all_open_orders", nothing), _instead(Blotter, "cancel_entries", nothing):
        yield


@bug
def the_books_are_never_compared() -> Iterator[None]:
    def satisfied(self: Reconciliation, read: Any) -> None:
        self._safety.unblock(BlockReason.RECONCILIATION, "of course")

    with _instead(Reconciliation, "take", satisfied):
        yield


@bug
def a_discrepancy_is_told_and_stops_nothing() -> Iterator[None]:
    suspect = Reconciliation._suspect

    def shrugs(self: Reconciliation, key: str, difference: Any) -> None:
        suspect(self, key, difference)
        self._safety.unblock(BlockReason.RECONCILIATION, "never mind")

    with _instead(Reconciliation, "_suspect", shrugs):
        yield


@bug
def a_deadline_goes_by_the_machines_clock() -> Iterator[None]:
    from tests.simulator import world

    begin = world.World.start_desk

    def follows(self: world.World) -> Any:
        life = begin(self)
        self.clock.now_ns = lambda: world.ORIGIN_NS + self.clock.mono_ns() + self.skew_ns  # type: ignore[method-assign]
        return life

    with _instead(world.World, "start_desk", follows):
        yield


@bug
def the_latch_does_not_survive() -> Iterator[None]:
    with mock.patch("store.recovery.is_latched", lambda connection: False):
        yield


@bug
def the_gate_stays_open() -> Iterator[None]:
    with _instead(Gate, "passes", lambda self, order: True):
        yield


# --- the journal ---


@bug
def orders_leave_before_they_are_durable() -> Iterator[None]:
    async def hasty(self: Tasks) -> None:
        async with asyncio.TaskGroup() as group:
            broker = self._plan.broker
            if broker is not None:
                group.create_task(self._follow(broker))
                group.create_task(self._poll_balance(broker))
            while True:
                _, effects = await self._shell.outgoing.get()
                self._send(effects, group)

    with _instead(Tasks, "execution", hasty):
        yield


@bug
def facts_are_written_outside_the_transaction() -> Iterator[None]:
    with _instead(JournalWriter, "_write_facts", lambda self, facts: None):
        yield


@bug
def a_snapshot_is_older_than_it_says() -> Iterator[None]:
    close = Runner.close
    kept: dict[int, bytes] = {}

    def stale(self: Runner, snapshot: bool = False) -> Any:
        kept.setdefault(id(self), self.engine.snapshot())
        with mock.patch.object(self.engine, "snapshot", lambda: kept[id(self)]):
            return close(self, snapshot)

    with _instead(Runner, "close", stale):
        yield


@bug
def inputs_are_lost_from_the_journal() -> Iterator[None]:
    take = Runner.take

    def loses(self: Runner, event: Any) -> Any:
        out = take(self, event)
        if isinstance(event, Fill) and len(self._inputs) > 1:
            self._inputs[-1], self._inputs[-2] = self._inputs[-2], self._inputs[-1]
        return out

    with _instead(Runner, "take", loses):
        yield


# --- the books ---


@bug
def an_average_price_is_a_float() -> Iterator[None]:
    book = Position.book

    def floats(self: Position, qty: int, price: int, at_ns: int) -> int:
        return book(self, qty, int(float(price) * 1.0000001), at_ns)

    with _instead(Position, "book", floats):
        yield


@bug
def a_fee_is_left_out() -> Iterator[None]:
    import msgspec

    book = Holdings.book

    def free(self: Holdings, order: Any, fill: Fill) -> None:
        book(self, order, msgspec.structs.replace(fill, fee=0))

    with _instead(Holdings, "book", free):
        yield


@bug
def a_ledger_posting_has_one_side() -> Iterator[None]:
    post = Ledger._post

    def lame(self: Ledger, *args: Any) -> Any:
        post(self, *args)
        account = next(iter(self.accounts))
        self.accounts[account] += 1

    with _instead(Ledger, "_post", lame):
        yield


@bug
def heat_leaves_working_orders_out() -> Iterator[None]:
    make = Candidates.make

    def blind(self: Candidates, strategy_id: str, proposal: Any) -> Any:
        import msgspec

        return msgspec.structs.replace(make(self, strategy_id, proposal), risk=0)

    with _instead(Candidates, "make", blind):
        yield


@bug
def an_order_reverses_what_it_was_to_close() -> Iterator[None]:
    exits = Exits.exit_all

    def twice(self: Exits, reason: Any) -> None:
        exits(self, reason)
        for position in list(self._desk.state.positions.values()):
            position.qty += money.SCALE // 1_000 if position.qty > 0 else 0

    with _instead(Exits, "exit_all", twice):
        yield


@bug
def an_ended_order_stays_among_the_working() -> Iterator[None]:
    move = Blotter._move

    def keeps(self: Blotter, order: Any, trigger: Trigger, code: str = "", text: str = "") -> None:
        move(self, order, trigger, code, text)
        if order.state is OrderState.CANCELED:
            self._desk.state.orders[order.order_id] = order

    with _instead(Blotter, "_move", keeps):
        yield


@bug
def ids_repeat_after_a_restart() -> Iterator[None]:
    def repeats(self: Desk) -> str:
        self._ids += 1
        return f"run-{self.state.seq}-{self._ids}"

    with _instead(Desk, "new_id", repeats):
        yield


# --- the emergency record ---


@bug
def the_emergency_record_is_not_read_back() -> Iterator[None]:
    with mock.patch("store.desk.rejoin", lambda *_: Rejoined()):
        yield


@bug
def the_emergency_record_leaves_out_what_failed_first() -> Iterator[None]:
    failed = Shell._journal_failed

    def lossy(self: Shell, error: BaseException) -> None:
        first = self._pending.popleft()
        self._committed(first, Committed(self.rows, self.head, 0))
        failed(self, error)

    with _instead(Shell, "_journal_failed", lossy):
        yield


@bug
def entries_leave_while_the_journal_takes_nothing() -> Iterator[None]:
    failed = Shell._journal_failed

    def open_gate(self: Shell, error: BaseException) -> None:
        failed(self, error)
        self.gate.passes = lambda order: True  # type: ignore[method-assign]

    with _instead(Shell, "_journal_failed", open_gate):
        yield
