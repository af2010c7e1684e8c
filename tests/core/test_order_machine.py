"""Orders against a broker whose answers are lost, repeated, reordered and late: whatever happens, the books are whole.

The broker below holds orders the way a venue does and obeys its own rules; between it and the desk lies a wire that
delivers in any order, more than once, or not at all. Fills are never lost for good: a query tells them all again.
"""

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.core.config import SECOND, Limits
from engine.core.events import (
    Act,
    AmendRefused,
    BrokerEvent,
    CancelRefused,
    Fill,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderMissing,
    OrderRefused,
    OutcomeUnknown,
    Role,
    Wake,
)
from engine.core.exits import REFUSALS_MAX
from engine.core.facts import Amend, AmendRequested, Cancel, FillBooked, OrderChanged, Query, SignalEnded, Submit
from engine.core.orders import AWAITING, ENDED
from engine.core.words import OrderState
from tests.books import assert_entries_balance
from tests.rig import SYMBOL, Rig, d

LOT = d("0.001")
Message = Submit | Cancel | Amend | Query


class Held(msgspec.Struct):
    """An order as the broker has it."""

    submit: Submit
    filled: int = 0
    end: BrokerEvent | None = None
    fills: list[Fill] = []

    @property
    def rest(self) -> int:
        return abs(self.submit.qty - self.filled)


class Broker:
    """A venue that takes each client id once, clips reduce-only orders to its own position, and answers a query."""

    def __init__(self) -> None:
        self.orders: dict[str, Held] = {}
        self.position = 0

    def take(self, message: Message, at: int, refuse: bool) -> list[BrokerEvent]:
        held = self.orders.get(message.order_id)
        if isinstance(message, Submit):
            return self._submit(message, at, refuse)
        if isinstance(message, Query):
            return self._tell(message, at)
        if held is None or held.end is not None or held.rest == 0 or refuse:
            no = CancelRefused if isinstance(message, Cancel) else AmendRefused
            return [no(message.order_id, at, "unknown_order", "no")]
        if isinstance(message, Cancel):
            return [self.finish(held, OrderCanceled(message.order_id, at))]
        if abs(message.qty) <= abs(held.filled):
            return [AmendRefused(message.order_id, at, "venue_refused", "filled already")]
        held.submit = msgspec.structs.replace(
            held.submit, qty=message.qty, price=message.price, stop_price=message.stop_price
        )
        return [OrderAmended(message.order_id, at, message.qty, message.price, message.stop_price)]

    def _submit(self, message: Submit, at: int, refuse: bool) -> list[BrokerEvent]:
        if message.order_id in self.orders:
            return []
        held = self.orders[message.order_id] = Held(message)
        if refuse:
            return [self.finish(held, OrderRefused(message.order_id, at, "venue_refused", "no"))]
        return [OrderAccepted(message.order_id, at, f"v{len(self.orders)}")]

    def _tell(self, message: Query, at: int) -> list[BrokerEvent]:
        held = self.orders.get(message.order_id)
        if held is None:
            return [OrderMissing(message.order_id, at)]
        terms = OrderAmended(message.order_id, at, held.submit.qty, held.submit.price, held.submit.stop_price)
        last = [held.end] if held.end is not None else [OrderAccepted(message.order_id, at), terms]
        return [*held.fills, *last]

    def live(self) -> list[Held]:
        return [held for held in self.orders.values() if held.end is None and held.rest]

    def fill(self, held: Held, share: int, at: int) -> list[BrokerEvent]:
        """Fill a tenth or more of what is left, no more than a reduce-only order may take."""
        sign = 1 if held.submit.qty > 0 else -1
        room = min(held.rest, max(0, -sign * self.position)) if held.submit.reduce_only else held.rest
        qty = max(LOT, room * share // 10 // LOT * LOT)
        if room < LOT:
            return [self.finish(held, OrderCanceled(held.submit.order_id, at, "reduce_only"))]
        name = f"{held.submit.order_id}:{len(held.fills)}"
        price = held.submit.price or d(100)
        fill = Fill(name, held.submit.order_id, SYMBOL, at, at, sign * qty, price, 0, Role.MAKER)
        held.filled += sign * qty
        self.position += sign * qty
        held.fills = [*held.fills, fill]
        return [fill]

    def finish(self, held: Held, end: BrokerEvent) -> BrokerEvent:
        held.end = end
        return end


class Machine(RuleBasedStateMachine):
    """Random orders, fills and answers; every rule is one thing that may happen next."""

    @initialize()
    def begin(self) -> None:
        free = Limits(orders_per_minute_max=1_000, consecutive_losses_max=1_000)
        self.rig = Rig(paper=False, resting_stops=True, limits=free)
        self.broker = Broker()
        self.sent: list[Message] = []  # on its way to the broker, in order
        self.wire: list[BrokerEvent] = []  # on its way to the desk
        self.read = 0

    def collect(self) -> None:
        """Take what the desk sent since the last look."""
        new, self.read = self.rig.facts[self.read :], len(self.rig.facts)
        self.sent += [item for item in new if isinstance(item, Submit | Cancel | Amend | Query)]

    # --- what the desk does ---

    @precondition(lambda self: not self.rig.engine.trading.entries.is_busy(SYMBOL))
    @rule(entry=st.sampled_from(["0", "99.5"]))
    def propose(self, entry: str) -> None:
        self.rig.command(Act.RESUME)
        self.rig.propose(entry=entry)
        self.collect()

    @rule(bid=st.sampled_from(["98.5", "99.5", "100", "103.5"]))
    def price(self, bid: str) -> None:
        self.rig.quote(bid, f"{float(bid) + 0.1:.1f}")
        self.collect()

    @precondition(lambda self: self.rig.engine.state.orders)
    @rule(act=st.sampled_from([Act.CANCEL_ALL, Act.FLATTEN, Act.PAUSE]), rarely=st.integers(0, 5))
    def operate(self, act: Act, rarely: int) -> None:
        if rarely == 0:
            self.rig.command(act)
            self.collect()

    @rule(seconds=st.sampled_from([1, 4, 31, 61]))
    def wait(self, seconds: int) -> None:
        self.rig.now_ns += seconds * SECOND
        self.rig.send(Wake(self.rig.now_ns))
        self.collect()

    # --- what the broker does ---

    @precondition(lambda self: self.sent)
    @rule(fate=st.sampled_from(["answered"] * 8 + ["refused", "lost", "timed out"]))
    def arrive(self, fate: str) -> None:
        """The oldest message reaches the broker; its answer may be lost (but never what a query is told)."""
        message = self.sent.pop(0)
        answers = self.broker.take(message, self.rig.now_ns, fate == "refused")
        if isinstance(message, Query) or fate in ("answered", "refused"):
            self.wire += answers
        elif fate == "timed out":
            self.deliver_one(OutcomeUnknown(message.order_id, self.rig.now_ns, "timeout"))

    @precondition(lambda self: self.sent)
    @rule()
    def arrive_twice(self) -> None:
        """The oldest message reaches the broker, and will do so again."""
        self.wire += self.broker.take(self.sent[0], self.rig.now_ns, refuse=False)

    @precondition(lambda self: self.broker.live())
    @rule(which=st.integers(0, 9), share=st.sampled_from([1, 3, 5, 10, 10, 10]))
    def fill(self, which: int, share: int) -> None:
        live = self.broker.live()
        self.wire += self.broker.fill(live[which % len(live)], share, self.rig.now_ns)

    @precondition(lambda self: self.broker.live())
    @rule(which=st.integers(0, 9), expired=st.booleans(), rarely=st.integers(0, 3))
    def end(self, which: int, expired: bool, rarely: int) -> None:
        """The broker ends an order by itself."""
        if rarely:
            return
        live = self.broker.live()
        held = live[which % len(live)]
        name, at = held.submit.order_id, self.rig.now_ns
        end = OrderExpired(name, at) if expired else OrderCanceled(name, at, "venue")
        self.wire.append(self.broker.finish(held, end))

    # --- what the wire does ---

    @precondition(lambda self: self.wire)
    @rule(which=st.integers(0, 9), again=st.sampled_from([False, False, True]))
    def deliver(self, which: int, again: bool) -> None:
        """Any of the answers under way arrives, and perhaps will once more."""
        event = self.wire[which % len(self.wire)]
        if not again:
            self.wire.remove(event)
        self.deliver_one(event)

    @precondition(lambda self: self.wire)
    @rule()
    def deliver_in_order(self) -> None:
        while self.wire:
            self.deliver_one(self.wire.pop(0))

    def deliver_one(self, event: BrokerEvent) -> None:
        self.rig.send(msgspec.structs.replace(event, at_ns=self.rig.now_ns))
        self.collect()

    # --- what must hold ---

    @invariant()
    def the_position_is_the_sum_of_the_fills(self) -> None:
        booked = self.rig.of(FillBooked)
        assert len({fill.fill_id for fill in booked}) == len(booked)
        assert sum(fill.qty for fill in booked) == sum(p.qty for p in self.rig.engine.state.positions.values())
        assert set(self.rig.engine.state.positions) == set(self.rig.engine.state.holdings)

    @invariant()
    def the_ledger_sums_to_zero_and_agrees(self) -> None:
        assert_entries_balance(self.rig.engine)

    @invariant()
    def an_order_ends_once_and_nothing_but_fills_comes_after(self) -> None:
        over = set[str]()
        for change in self.rig.of(OrderChanged):
            assert change.order_id not in over
            if change.state in ENDED:
                over.add(change.order_id)

    @invariant()
    def no_order_gets_more_than_it_asked_for(self) -> None:
        asked: dict[str, int] = {}
        for item in self.rig.facts:
            if isinstance(item, OrderChanged | AmendRequested):
                asked[item.order_id] = max(asked.get(item.order_id, 0), abs(item.qty))
        got: dict[str, int] = {}
        for fill in self.rig.of(FillBooked):
            got[fill.order_id] = got.get(fill.order_id, 0) + fill.qty
        assert all(abs(qty) <= asked[order_id] for order_id, qty in got.items())
        assert not self.rig.engine.state.held_fills, "whatever the wire does, what was truly filled is believed"

    @invariant()
    def every_signal_has_at_most_one_verdict(self) -> None:
        ended = [verdict.signal_id for verdict in self.rig.of(SignalEnded)]
        assert len(set(ended)) == len(ended)
        tally = self.rig.engine.state.tally
        assert tally.signals == len(ended) + len(self.rig.engine.state.live_signals)

    @invariant()
    def what_protects_a_position_never_adds_to_it(self) -> None:
        for order in self.rig.engine.state.orders.values():
            if order.reduce_only and (position := self.rig.engine.state.positions.get(order.symbol)):
                assert order.qty * position.qty < 0 or order.state is OrderState.PENDING_CANCEL or order.awaits

    def teardown(self) -> None:
        """From here on the broker answers everything, in order: in the end the desk and the broker know the same."""
        if not hasattr(self, "rig"):
            return
        for _ in range(40):
            while self.sent or self.wire:
                if self.sent:
                    self.wire += self.broker.take(self.sent.pop(0), self.rig.now_ns, refuse=False)
                self.deliver_in_order()
            self.wait(61)
        orders = self.rig.engine.state.orders
        assert not [order for order in orders.values() if order.state in AWAITING or order.asked]
        known = {held.submit.order_id: held for held in self.broker.live()}
        assert set(known) == set(orders)
        for order_id, order in orders.items():
            assert (order.qty, order.filled_qty) == (known[order_id].submit.qty, known[order_id].filled)
        position = self.rig.engine.state.positions.get(SYMBOL)
        assert (position.qty if position else 0) == self.broker.position
        holding = self.rig.engine.state.holdings.get(SYMBOL)
        if holding is not None and holding.leaving is None and holding.rests and holding.refusals < REFUSALS_MAX:
            for leg in (holding.stop_order_id, holding.target_order_id):
                assert orders[leg].open_qty == -self.broker.position, "what is held is protected, all of it"


Machine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
TestOrderMachine = Machine.TestCase
