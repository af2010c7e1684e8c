"""Both ends of a desk for a simulation: a strategy that never tires, and a broker outside the core that can fail."""

from collections.abc import Sequence
from typing import Final

import msgspec

from engine.core import draw
from engine.core.config import MINUTE, CoreConfig, PaperModel
from engine.core.events import AnyEvent, Bar, Book, BrokerEvent, OrderRefused, Quote, Trade
from engine.core.facts import Amend, Cancel, Submit
from engine.core.paper import PaperBroker
from engine.core.paper_state import opening_state
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import Side

BASIS_POINTS: Final = 10_000
NEAR_BP: Final = 5
FAR_BP: Final = 300
STOP_BP: Final = 60
TARGET_BP: Final = 120


class Turns(msgspec.Struct):
    """What the strategy remembers: how often each symbol has had its turn."""

    of: dict[str, int] = {}


class Tireless:
    """Proposes in every free symbol every third minute, at market and resting by turns, and holds for half an hour.

    In the first symbol it waits far from the price, so that there is always an entry a breaker has to take back.
    """

    def __init__(self, seed: int, symbols: tuple[str, ...]) -> None:
        self.strategy_id = "tireless"
        self.symbols = symbols
        self.span_ns = MINUTE
        self.history = 0
        self.wants_quotes = False
        self.state: msgspec.Struct = Turns()
        self._seed = seed

    def on_bar(self, bar: Bar, market: Market) -> Sequence[Proposal | ExitWish]:
        quote = market.quote(bar.symbol)
        turn = bar.start_ns // MINUTE + self.symbols.index(bar.symbol)
        if turn % 3 or quote is None or market.is_busy(bar.symbol):
            return ()
        assert isinstance(self.state, Turns)
        count = self.state.of[bar.symbol] = self.state.of.get(bar.symbol, 0) + 1
        side = Side.LONG if draw.below(2, self._seed, "side", bar.symbol, count) else Side.SHORT
        touch = quote.bid if side is Side.LONG else quote.ask
        bp = FAR_BP if bar.symbol == self.symbols[0] else NEAR_BP * (count % 2)
        base = _away(touch, side, -bp, market.tick(bar.symbol))
        stop, target = (_away(base, side, bp, market.tick(bar.symbol)) for bp in (-STOP_BP, TARGET_BP))
        return (Proposal(bar.symbol, side, base if bp else 0, stop, target, "its turn", 30 * MINUTE),)

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        return ()


def _away(price: int, side: Side, bp: int, tick: int) -> int:
    """The price so many basis points better for `side`, on its tick."""
    return price + side.sign * (price * abs(bp) // BASIS_POINTS // tick) * tick * (1 if bp > 0 else -1)


class Venue:
    """A broker outside the core. While `refuses`, it says no to whatever opens; told `blind`, it never sees a quote.

    A broker without quotes fills from bars and trades, with the slippage of its own model.
    """

    def __init__(self, config: CoreConfig, model: PaperModel, blind: bool) -> None:
        self.state = opening_state(config.starting_equity)
        instruments = {instrument.symbol: instrument for instrument in config.instruments}
        self.broker = PaperBroker(instruments, model, config.seed, self.state)
        self.refuses = False
        self.refused = 0
        self.balance_ns = 0
        self._blind = blind

    def take(self, effect: Submit | Cancel | Amend, at_ns: int) -> list[BrokerEvent]:
        if isinstance(effect, Cancel):
            self.broker.cancel(effect, at_ns)
        elif isinstance(effect, Amend):
            self.broker.amend(effect, at_ns)
        elif self.refuses and not effect.reduce_only:
            self.refused += 1
            return [OrderRefused(effect.order_id, at_ns, "venue_refused", "not now")]
        else:
            self.broker.submit(effect, at_ns)
        return []

    def see(self, event: AnyEvent) -> list[BrokerEvent]:
        """Answers to what is due, and the fills a market event causes."""
        if isinstance(event, Trade | Bar) or (isinstance(event, Quote | Book) and not self._blind):
            return self.broker.on_market(event)
        return self.broker.advance(event.at_ns)
