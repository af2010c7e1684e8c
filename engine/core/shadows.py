"""The same orders filled under other execution profiles, in books of their own: how far the result hangs on the model.

A shadow is sent what the base is sent, fills it by its own profile from the same market, and keeps its own ledger. No
answer of a shadow reaches the desk, so that nothing it does can change a decision. Where base and shadow part ways:

- An entry twin is cancelled with the base's entry: at its cancel, at its end without a fill, or at its timeout. A base
  entry that filled leaves the twin to fill until that timeout.
- An exit for the whole base position closes the whole shadow position, whatever that is. Other exits are clipped to it.
- A resting exit waits in the shadow for a position to close, as long as the base's works.
- Once the base is flat and enters no more, the twins end at that moment, and what a shadow still holds is closed there
  by a market order of its own, sent then; unless a market order is closing it already.
"""

from collections.abc import Callable, Mapping, Sequence

from engine.core import money
from engine.core.account_broker import AccountBroker
from engine.core.config import Instrument, PaperModel
from engine.core.events import Bar, Book, BrokerEvent, Fill, Liquidation, OrderCanceled, OrderRefused, Quote, Trade
from engine.core.facts import Alert, Amend, Cancel, ShadowFilled, Submit
from engine.core.liquidity import NEVER_NS, MarketMemory
from engine.core.margin import Band
from engine.core.paper_state import PaperAccount
from engine.core.shadow_broker import ShadowBroker
from engine.core.words import AlertKind

Tell = Callable[[ShadowFilled | Alert], None]


class Shadows:
    """The shadow books of one desk.

    Args:
        models: Execution model by profile.
        accounts: What each profile remembers; the same profiles.
        entry_timeout_ns: After this long the desk takes back what is left of an entry.
        tell: Takes the fills, and what an operator should know.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        models: Mapping[str, PaperModel],
        seed: int,
        accounts: Mapping[str, PaperAccount],
        market: MarketMemory,
        entry_timeout_ns: int,
        tell: Tell,
    ) -> None:
        for account in accounts.values():
            _settle_strangers(account, instruments, market)
        self._instruments = instruments
        self._market = market
        self._entry_timeout_ns = entry_timeout_ns
        self._tell = tell
        self._brokers = {
            profile: ShadowBroker(instruments, model, seed, accounts[profile], market, profile)
            for profile, model in models.items()
        }

    @property
    def next_due_ns(self) -> int:
        """When the next message reaches a shadow; 0: none is on its way."""
        return min((b.next_due_ns for b in self._brokers.values() if b.next_due_ns), default=0)

    def widen(self, bands: Mapping[str, Band]) -> dict[str, Band]:
        """`bands` narrowed to the prices within which nothing can happen in a shadow either."""
        narrow = dict(bands)
        for broker in self._brokers.values():
            for symbol, (low, high) in broker.bands.items():
                other = narrow.get(symbol, (low, high))
                narrow[symbol] = max(low, other[0]), min(high, other[1])
        return narrow

    def equity(self, profile: str) -> int:
        """Cash and positions of a profile, valued like the desk's own: at the price they could be closed at."""
        ledger = self._brokers[profile].account.ledger
        return ledger.equity(self._instruments, lambda symbol: self._market.worth(symbol, ledger.qty(symbol)))

    # --- what the base is sent ---

    def submit(self, order: Submit, at_ns: int, number: int, closes: bool) -> None:
        """The base sent `order`, the `number`th of its account; `closes`: it is to close the base's whole position."""
        for broker in self._brokers.values():
            broker.submit(order, at_ns, number, whole=closes)
            if not order.reduce_only:
                broker.cancel(Cancel(order.order_id, order.symbol), at_ns + self._entry_timeout_ns)

    def cancel(self, order: Cancel, at_ns: int) -> None:
        """The base sent a cancel."""
        for broker in self._brokers.values():
            broker.cancel(order, at_ns)

    def amend(self, order: Amend, at_ns: int) -> None:
        """The base sent an amend."""
        for broker in self._brokers.values():
            broker.amend(order, at_ns)

    # --- what happens ---

    def meet(self, event: Quote | Trade | Book | Bar) -> None:
        """Hold `event` against the shadows that look out for its symbol."""
        for profile, broker in self._brokers.items():
            if event.symbol in broker.bands:
                self._report(profile, broker.meet(event))

    def advance(self, at_ns: int) -> None:
        """Let arrive what is due."""
        for profile, broker in self._brokers.items():
            if 0 < broker.next_due_ns <= at_ns:
                self._report(profile, broker.advance(at_ns))

    def close_at_last(self, at_ns: int) -> None:
        """Each shadow's own closing orders, as `AccountBroker.close_at_last`."""
        for profile, broker in self._brokers.items():
            self._report(profile, broker.close_at_last(at_ns))

    def finish(self, base: AccountBroker, at_ns: int) -> None:
        """The run ends: where the base is flat every shadow becomes flat, charged for it, however late its orders come.

        What is still on its way arrives at once; what then finds no market closes at the last known price.
        """
        for profile, broker in self._brokers.items():
            for symbol in broker.symbols():
                if not base.is_in(symbol):
                    broker.leave(symbol, at_ns)
            self._report(profile, broker.advance(NEVER_NS))
            self._report(profile, broker.close_at_last(at_ns))

    def settle_funding(self, symbol: str, rate: int, mark: int) -> None:
        """Settle funding on each shadow's own position."""
        for broker in self._brokers.values():
            broker.settle_funding(symbol, rate, mark)

    def follow(self, answers: Sequence[BrokerEvent], base: AccountBroker, at_ns: int) -> None:
        """The base was given `answers`: end the twins of what ended there, and go flat where the base is."""
        for answer in answers:
            if isinstance(answer, OrderCanceled | OrderRefused):
                for broker in self._brokers.values():
                    broker.drop(answer.client_order_id)
        if not answers:
            return
        for broker in self._brokers.values():
            for symbol in broker.symbols():
                if not base.is_in(symbol):
                    broker.leave(symbol, at_ns)

    def _report(self, profile: str, answers: Sequence[BrokerEvent]) -> None:
        ledger = self._brokers[profile].account.ledger
        filled = [answer for answer in answers if isinstance(answer, Fill)]
        held = {fill.symbol: ledger.qty(fill.symbol) for fill in filled}
        for fill in filled:
            held[fill.symbol] -= fill.qty
        for answer in answers:
            if isinstance(answer, Fill):
                held[answer.symbol] += answer.qty
                self._tell(
                    ShadowFilled(
                        at_ns=answer.at_ns,
                        profile=profile,
                        fill_id=answer.fill_id,
                        order_id=answer.client_order_id,
                        symbol=answer.symbol,
                        qty=answer.qty,
                        price=answer.price,
                        fee=answer.fee,
                        role=answer.role.value,
                        slippage_source=answer.slippage_source,
                        position_qty=held[answer.symbol],
                    )
                )
            elif isinstance(answer, Liquidation):
                text = f"equity {money.text(answer.equity)} below the margin {money.text(answer.margin)}"
                said = f"{answer.symbol} under {profile} fills: {text}"
                self._tell(Alert(answer.at_ns, AlertKind.SHADOW_LIQUIDATION, said))


def _settle_strangers(account: PaperAccount, instruments: Mapping[str, Instrument], market: MarketMemory) -> None:
    """Close at the last price what a shadow holds of symbols that this run does not trade, and forget their orders."""
    ledger = account.ledger
    for symbol in [symbol for symbol in ledger.positions if symbol not in instruments]:
        position, price = ledger.positions.pop(symbol), market.mark(symbol)
        ledger.cash += money.mul(position.qty, price) if price else position.cost
    for symbol in [symbol for symbol in account.working if symbol not in instruments]:
        del account.working[symbol]
    account.pending[:] = [arrival for arrival in account.pending if arrival.message.symbol in instruments]
