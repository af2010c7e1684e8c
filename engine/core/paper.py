"""The paper broker: answers orders from market data alone, with its own books, pessimistic where it cannot know.

Rules (docs/execution-model.md explains them):
- A message takes effect a drawn latency after it was sent, and never meets data stamped before that.
- A taker walks what is displayed and remembers what it took; what is not displayed is never filled.
- A resting order waits behind the size displayed at its price. Trades at the price move the queue; a trade through it,
  or an opposite side that crosses it, reaches the order. No fill is larger than the quantity that traded or showed.
- A stop order waits until the touch it would trade with reaches its stop, and then is a market or limit order, with no
  further latency: after a gap it fills at the first price there is.
- An amend that changes a price or adds quantity makes the order arrive anew; one that only takes some off keeps its
  place.
- Without fresh quotes or books, trades and bars fill, with drawn, always adverse slippage and for at most a share of
  their volume; a resting order only where the price went through it, and then at its limit.
- Nothing fills while a symbol is halted. An account that no longer carries its positions is liquidated.

The desk's books follow the answers given here. Beside them the same orders are filled under other execution profiles
(`engine.core.shadows`), which answer nobody.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from engine.core.account_broker import AccountBroker
from engine.core.config import Instrument, PaperModel
from engine.core.events import Bar, Book, BrokerEvent, Quote, Trade, TradingHalted
from engine.core.facts import Amend, Cancel, Submit
from engine.core.liquidity import NEVER_NS
from engine.core.margin import Band
from engine.core.paper_state import PaperState
from engine.core.shadows import Shadows

NOTHING: Final[Sequence[BrokerEvent]] = ()


class PaperBroker:
    """A broker in memory: `submit`, `cancel`, `amend` take messages; `on_market` and `advance` answer, in order.

    `next_due_ns` is when the next message arrives (0: none is on its way); call `advance` no later than the first
    event at or after it. Times must not decrease from call to call.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        model: PaperModel,
        seed: int,
        state: PaperState,
        shadows: Shadows | None = None,
    ) -> None:
        self.state = state
        self.shadows = shadows
        self._market = state.market
        self._base = AccountBroker(instruments, model, seed, state, state.market)
        self._bands: dict[str, Band] = {}
        self._due_ns = NEVER_NS
        self._look()

    @property
    def next_due_ns(self) -> int:
        return self._base.next_due_ns

    # --- messages ---

    def submit(self, order: Submit, at_ns: int) -> None:
        """Send `order` at `at_ns`; it arrives after the latency drawn for it."""
        number = self._base.submit(order, at_ns)
        if self.shadows is not None:
            held = self.state.ledger.qty(order.symbol)
            self.shadows.submit(order, at_ns, number, closes=order.reduce_only and abs(order.qty) >= abs(held))
        self._look()

    def cancel(self, order: Cancel, at_ns: int) -> None:
        """Send a cancel at `at_ns`; it never overtakes the submit of the same order."""
        self._base.cancel(order, at_ns)
        if self.shadows is not None:
            self.shadows.cancel(order, at_ns)
        self._look()

    def amend(self, order: Amend, at_ns: int) -> None:
        """Send an amend at `at_ns`; it overtakes neither the submit nor an earlier amend of the same order."""
        self._base.amend(order, at_ns)
        if self.shadows is not None:
            self.shadows.amend(order, at_ns)
        self._look()

    # --- the market ---

    def on_market(self, event: Quote | Trade | Book | Bar) -> list[BrokerEvent]:
        """Answers to whatever is due by `event.at_ns`, then the fills `event` causes. Backfilled bars fill nothing."""
        if isinstance(event, Quote):
            return list(self.on_quote(event))
        if isinstance(event, Book):
            return list(self.on_book(event))
        return list(self.on_trade(event) if isinstance(event, Trade) else self.on_bar(event))

    def on_quote(self, quote: Quote) -> Sequence[BrokerEvent]:
        """As `on_market`."""
        answers = self.advance(quote.at_ns) if quote.at_ns >= self._due_ns else NOTHING
        self._market.quotes[quote.symbol] = quote
        band = self._bands.get(quote.symbol)
        if band is None or (quote.bid > band[0] and quote.ask < band[1]):
            return answers
        return [*answers, *self._meet(quote)]

    def on_book(self, book: Book) -> Sequence[BrokerEvent]:
        """As `on_market`."""
        answers = self.advance(book.at_ns) if book.at_ns >= self._due_ns else NOTHING
        self._market.books[book.symbol] = book
        band = self._bands.get(book.symbol)
        if band is None or (book.bids[-1][0] > band[0] and book.asks[-1][0] < band[1]):
            return answers
        return [*answers, *self._meet(book)]

    def on_trade(self, trade: Trade) -> Sequence[BrokerEvent]:
        """As `on_market`."""
        answers = self.advance(trade.at_ns) if trade.at_ns >= self._due_ns else NOTHING
        self._market.trades[trade.symbol] = trade
        band = self._bands.get(trade.symbol)
        return answers if band is None or band[0] < trade.price < band[1] else [*answers, *self._meet(trade)]

    def on_bar(self, bar: Bar) -> Sequence[BrokerEvent]:
        """As `on_market`."""
        answers = self.advance(bar.at_ns) if bar.at_ns >= self._due_ns else NOTHING
        if bar.backfilled:
            return answers
        self._market.bars[bar.symbol] = bar
        return [*answers, *self._meet(bar)] if bar.symbol in self._bands else answers

    def on_halt(self, event: TradingHalted) -> None:
        """Nothing in the symbol fills from now on, or again from the first new price on."""
        self._market.halt(event.symbol, event.halted, event.at_ns)

    def advance(self, at_ns: int) -> list[BrokerEvent]:
        """Answers to whatever arrives by `at_ns`, each stamped with the time it arrived."""
        answers = self._base.advance(at_ns)
        if self.shadows is not None:
            self.shadows.advance(at_ns)
            self.shadows.follow(answers, self._base, at_ns)
        self._look()
        return answers

    def close_at_last(self, at_ns: int) -> list[BrokerEvent]:
        """Fill the market orders that close a position from the last known price: no market will come any more."""
        answers = self._base.close_at_last(at_ns)
        if self.shadows is not None:
            self.shadows.close_at_last(at_ns)
            self.shadows.follow(answers, self._base, at_ns)
        self._look()
        return answers

    def finish(self, at_ns: int) -> None:
        """The run ends: let no shadow leave the cost of closing to the next one."""
        if self.shadows is not None:
            self.shadows.finish(self._base, at_ns)
        self._look()

    def on_funding(self, symbol: str, rate: int, mark: int) -> int:
        """Settle funding at `rate` (fraction of notional at `mark`) on the own position; the amount paid."""
        amount = self._base.settle_funding(symbol, rate, mark)
        if self.shadows is not None:
            self.shadows.settle_funding(symbol, rate, mark)
        self._look()
        return amount

    def mark(self, symbol: str) -> int:
        """The newest price of `symbol`; 0: none yet."""
        return self._market.mark(symbol)

    def equity(self) -> int:
        """Cash and positions at the newest known prices."""
        return self._base.equity()

    def free_margin(self) -> int:
        """What equity leaves for new positions, once every working order that adds to one has filled."""
        return self._base.free_margin()

    def _meet(self, event: Quote | Trade | Book | Bar) -> list[BrokerEvent]:
        """Hold `event` against every account that looks out for its symbol; the shadows before the desk reacts."""
        answers = self._base.meet(event) if event.symbol in self._base.bands else []
        if self.shadows is not None:
            self.shadows.meet(event)
            if answers:
                self.shadows.follow(answers, self._base, event.at_ns)
        self._look()
        return answers

    def _look(self) -> None:
        """Find what is due next, and the prices within which no account has to look at a symbol."""
        due = [self._base.next_due_ns]
        if self.shadows is None:
            self._bands = self._base.bands
        else:
            self._bands = self.shadows.widen(self._base.bands)
            due.append(self.shadows.next_due_ns)
        self._due_ns = min((at_ns for at_ns in due if at_ns), default=NEVER_NS)
