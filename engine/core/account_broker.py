"""The broker of one account under one execution profile: messages come in, answers go out, in order.

It never reads a clock: it acts when an event or `advance` tells it the time. Most market events concern none of its
orders, so it keeps for each symbol the prices within which nothing can happen; who feeds it looks no further there.
"""

from bisect import insort
from collections.abc import Mapping

from engine.core.bar_matching import BarMatching
from engine.core.config import Instrument, PaperModel
from engine.core.events import (
    AmendRefused,
    Bar,
    Book,
    BrokerEvent,
    CancelRefused,
    OrderAccepted,
    OrderAmended,
    OrderRefused,
    Quote,
    Role,
    Trade,
)
from engine.core.execution import Execution
from engine.core.facts import Amend, Cancel, Submit
from engine.core.latency import latency_ns
from engine.core.liquidation import Liquidator
from engine.core.liquidity import LATE_NS, NEVER_NS, UNKNOWN_QUEUE, MarketMemory
from engine.core.margin import NOWHERE, Band, free, safe_bands
from engine.core.paper_checks import amend_refusal, amended, refusal
from engine.core.paper_state import KNOWN_KEPT, Arrival, PaperAccount
from engine.core.touch_matching import TouchMatching
from engine.core.trade_matching import TradeMatching
from engine.core.words import OrderKind, ReasonCode
from engine.core.working import WorkingOrder


class AccountBroker:
    """Answers the orders of `account` from what `market` holds; several may share one market.

    `next_due_ns` is when the next message arrives (0: none is on its way); call `advance` no later than the first
    event at or after it. Times must not decrease from call to call.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        model: PaperModel,
        seed: int,
        account: PaperAccount,
        market: MarketMemory,
        profile: str = "",
    ) -> None:
        self.account = account
        self.next_due_ns = account.pending[0].due_ns if account.pending else 0
        self.bands: dict[str, Band] = {}
        """By symbol the prices within which nothing can happen; none where nothing can happen at all."""
        self._instruments = instruments
        self._model = model
        self._seed = seed
        self._market = market
        self._working = account.working
        self._pending = account.pending
        self._execution = Execution(instruments, model, seed, market, account, profile)
        self._touch = TouchMatching(self._execution)
        self._trades = TradeMatching(self._execution)
        self._bars = BarMatching(self._execution)
        self._liquidation = Liquidator(self._execution, self._touch)
        self._margins: dict[str, Band] = {}
        self._guard_all()

    # --- messages ---

    def submit(self, order: Submit, at_ns: int, number: int = 0, whole: bool = False) -> int:
        """Send `order` at `at_ns`; it arrives after the latency drawn for it.

        `number` keys its draws (0: the next one of this account); it is given back. `whole`: see `WorkingOrder`.
        """
        self.account.submitted += 1
        number = number or self.account.submitted
        self._send(Arrival(at_ns + self._latency("submit", number), number, submit=order, whole=whole))
        return number

    def cancel(self, order: Cancel, at_ns: int) -> None:
        """Send a cancel at `at_ns`; it never overtakes the submit of the same order."""
        number, not_before_ns = self._find(order)
        due_ns = max(at_ns + self._latency("cancel", number), not_before_ns)
        self._send(Arrival(due_ns, number, cancel=order))

    def amend(self, order: Amend, at_ns: int) -> None:
        """Send an amend at `at_ns`; it overtakes neither the submit nor an earlier amend of the same order."""
        number, not_before_ns = self._find(order)
        due_ns = max(at_ns + self._latency("amend", number), not_before_ns)
        self._send(Arrival(due_ns, number, amend=order))

    def advance(self, at_ns: int) -> list[BrokerEvent]:
        """Answers to whatever arrives by `at_ns`, each stamped with the time it arrived."""
        answers: list[BrokerEvent] = []
        pending = self._pending
        while pending and pending[0].due_ns <= at_ns:
            arrival = pending.pop(0)
            if arrival.submit is not None:
                answers += self._arrive(arrival.submit, arrival)
            if arrival.cancel is not None:
                answers += self._withdraw(arrival.cancel, arrival.due_ns)
            if arrival.amend is not None:
                answers += self._alter(arrival.amend, arrival.due_ns)
        self.next_due_ns = pending[0].due_ns if pending else 0
        if answers:
            self._guard_all()
        return answers

    # --- the market ---

    def meet(self, event: Quote | Trade | Book | Bar) -> list[BrokerEvent]:
        """The fills `event` causes; to be called once the market's memory holds it, where `bands` ask for it."""
        symbol, answers = event.symbol, list[BrokerEvent]()
        begun_ns, over_ns = event.at_ns, event.at_ns
        if isinstance(event, Bar):
            begun_ns, over_ns = event.at_ns - event.span_ns, event.at_ns - LATE_NS
        if self._market.is_halted(symbol, begun_ns, over_ns):
            return answers
        if isinstance(event, Quote | Book):
            if symbol in self.account.taken.of:
                self.account.taken.renew(event, symbol in self._market.books)
            if symbol in self._working:
                answers = self._touch.on_touch(event)
        elif symbol in self._working:
            answers = self._trades.on_trade(event) if isinstance(event, Trade) else self._bars.on_bar(event)
        margin = self._margins.get(symbol)
        if margin is not None:
            answers += self._liquidation.guard(event)
        if answers or (margin is not None and not margin[0] < self._market.mark(symbol) < margin[1]):
            self._guard_all()  # something was booked, or the share of what may be lost here is used up
        else:
            self._watch(symbol)
        return answers

    def close_at_last(self, at_ns: int) -> list[BrokerEvent]:
        """Fill what closes at market from the last known price, slipped: for an end after which no market comes."""
        answers: list[BrokerEvent] = []
        for symbol in list(self._working):
            price = self._market.mark(symbol)
            for working in list(self._working.get(symbol, {}).values()):
                if not (price and working.order.reduce_only and working.kind is OrderKind.MARKET):
                    continue
                qty = self._execution.takes(working, abs(self.account.ledger.qty(symbol)))
                if qty:
                    at_price = self._execution.slipped(working, price)
                    answers += self._execution.fill(working, qty, at_price, Role.TAKER, at_ns, at_ns, "last")
        if answers:
            self._guard_all()
        return answers

    def settle_funding(self, symbol: str, rate: int, mark: int) -> int:
        """Settle funding at `rate` (fraction of notional at `mark`) on the own position; the amount paid."""
        amount = self.account.ledger.settle(self._instruments[symbol], rate, mark)
        self._guard_all()
        return amount

    def equity(self) -> int:
        """Cash and positions at the newest known prices."""
        return self.account.ledger.equity(self._instruments, self._market.mark)

    def free_margin(self) -> int:
        """What equity leaves beside what positions bind, and working orders that could add to them."""
        return free(self._instruments, self.account.ledger, self.account.working, self._market.mark)

    def is_in(self, symbol: str) -> bool:
        """Whether the account holds `symbol`, or an order that could make it hold some works or is on its way."""
        if self.account.ledger.qty(symbol):
            return True
        sent = [each.order for each in self._working.get(symbol, {}).values()]
        sent += [arrival.submit for arrival in self._pending if arrival.submit is not None]
        return any(order.symbol == symbol and not order.reduce_only for order in sent)

    # --- what to look out for ---

    def _watch(self, symbol: str) -> None:
        """Find the prices within which nothing can happen to the orders and the position in `symbol`."""
        low, high = self._margins.get(symbol, (-1, NEVER_NS))
        for working in self._working.get(symbol, {}).values():
            price = working.order.stop_price if working.waits else working.order.price if working.rests else 0
            if not price:
                self.bands[symbol] = NOWHERE
                return
            if working.waits is (working.sign > 0):
                high = min(high, price)  # a buy stop, or a sell limit
            else:
                low = max(low, price)
        if symbol in self.account.taken.of:
            self.bands[symbol] = NOWHERE
        elif (low, high) == (-1, NEVER_NS):
            self.bands.pop(symbol, None)
        else:
            self.bands[symbol] = low, high

    def _guard_all(self) -> None:
        """Something was booked or sent: find anew what to look out for, everywhere."""
        self._margins = safe_bands(self._instruments, self.account.ledger, self._market.mark)
        for symbol in dict.fromkeys((*self.bands, *self._working, *self._margins, *self.account.taken.of)):
            self._watch(symbol)

    # --- messages on their way ---

    def _latency(self, what: str, number: int) -> int:
        return latency_ns(self._model, self._seed, what, *self._execution.keys(number))

    def _send(self, arrival: Arrival) -> None:
        insort(self._pending, arrival, key=lambda sent: sent.due_ns)  # equal times keep the order of sending
        self.next_due_ns = self._pending[0].due_ns

    def _find(self, asked: Cancel | Amend) -> tuple[int, int]:
        """Number of the order `asked` names, and when its submit arrives if that is still on its way.

        (0, 0) if no order is known by that id.
        """
        if (working := self._working.get(asked.symbol, {}).get(asked.order_id)) is not None:
            return working.number, 0
        for arrival in self._pending:
            if arrival.submit is not None and arrival.submit.order_id == asked.order_id:
                return arrival.number, arrival.due_ns
        return 0, 0

    def _arrive(self, order: Submit, arrival: Arrival) -> list[BrokerEvent]:
        at_ns, number = arrival.due_ns, arrival.number
        known = self.account.known
        if order.order_id in known:
            return [_repeated(order.order_id, known[order.order_id], at_ns)]
        no = refusal(order, self._instruments, self.account, self._market)
        known[order.order_id] = 0 if no is not None else number
        if len(known) > KNOWN_KEPT:
            del known[next(iter(known))]
        if no is not None:
            return [OrderRefused(order.order_id, at_ns, no[0].value, no[1])]
        working = WorkingOrder(order, number, at_ns, whole=arrival.whole)
        answers: list[BrokerEvent] = [OrderAccepted(order.order_id, at_ns, f"paper-{number}")]
        execution = self._execution
        self._working.setdefault(order.symbol, {})[order.order_id] = working
        if execution.is_idle(working):
            return answers + execution.end(working, at_ns, "reduce_only")
        return answers + self._touch.arrive(working, at_ns, at_ns)

    def _withdraw(self, cancel: Cancel, at_ns: int) -> list[BrokerEvent]:
        working = self._working.get(cancel.symbol, {}).get(cancel.order_id)
        if working is None:
            return [CancelRefused(cancel.order_id, at_ns, ReasonCode.UNKNOWN_ORDER.value, "no such working order")]
        return self._execution.end(working, at_ns, "requested")

    def _alter(self, amend: Amend, at_ns: int) -> list[BrokerEvent]:
        """Change a working order; whichever of a fill, a cancel and an amend arrives first is in force for the rest."""
        working = self._working.get(amend.symbol, {}).get(amend.order_id)
        if working is None:
            return [AmendRefused(amend.order_id, at_ns, ReasonCode.UNKNOWN_ORDER.value, "no such working order")]
        no = amend_refusal(working, amend, self._instruments, self.account, self._market)
        if no is not None:
            return [AmendRefused(amend.order_id, at_ns, no[0].value, no[1])]
        before, working.order = working.order, amended(working.order, amend)
        answers: list[BrokerEvent] = [OrderAmended(amend.order_id, at_ns, amend.qty, amend.price, amend.stop_price)]
        if abs(amend.qty) <= abs(before.qty) and (amend.price, amend.stop_price) == (before.price, before.stop_price):
            return answers
        orders = self._working[amend.symbol]
        orders[amend.order_id] = orders.pop(amend.order_id)  # behind the own orders that came before the amend
        working.arrived_ns, working.met, working.ahead = at_ns, False, UNKNOWN_QUEUE
        return answers + self._touch.arrive(working, at_ns, at_ns)


def _repeated(order_id: str, number: int, at_ns: int) -> BrokerEvent:
    """The answer to an order sent again under its id: the one it got, and nothing happens."""
    if number:
        return OrderAccepted(order_id, at_ns, f"paper-{number}")
    return OrderRefused(order_id, at_ns, ReasonCode.DUPLICATE.value, "it was refused before")
