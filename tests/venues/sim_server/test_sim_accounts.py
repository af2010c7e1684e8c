"""One account of the simulated venue: what the matching engine does by itself is on its books."""

from engine.core.config import SECOND, Instrument, PaperModel
from engine.core.events import Quote
from engine.core.money import parse
from engine.core.words import OrderKind, TimeInForce
from engine.venues.sim.accounts import Account, Ask, Status, VenueOrder

T0 = 1_700_000_000 * SECOND
COIN = Instrument("COIN", parse("0.5"), parse("0.01"), parse("0.01"), parse("1000"), maintenance=parse("0.005"))


def quote(after_s: int, bid: str, ask: str) -> Quote:
    at_ns = T0 + after_s * SECOND
    return Quote("COIN", at_ns, at_ns, parse(bid), parse(ask), parse("500"), parse("500"))


def test_an_account_that_is_liquidated_shows_the_venues_own_order_and_its_fills() -> None:
    """FV-18."""
    account = Account({"COIN": COIN}, PaperModel(), 1, parse("1000"), 0)
    account.on_market(quote(0, "100", "100"))
    account.place(Ask("COIN", parse("190"), 0, OrderKind.MARKET, TimeInForce.IOC, False, "mine"), T0)
    account.on_market(quote(1, "100", "100"))
    rest = account.place(
        Ask("COIN", parse("-1"), parse("104"), OrderKind.LIMIT, TimeInForce.GTC, True, "out"), T0 + SECOND
    )
    account.on_market(quote(2, "100", "100"))
    account.on_market(quote(3, "93", "93.5"))
    own = next(order for order in account.orders.values() if not order.client_id)
    assert (own.status, own.filled, own.reason) == (Status.FILLED, parse("-190"), "liquidation")
    assert (rest.status, rest.reason) == (Status.CANCELED, "liquidation")
    assert account.books.positions == account.broker_ledger.positions == {}
    assert account.books.cash == account.broker_ledger.cash < 0 and not account.working
    told = [what.status for _, what in account.pushes if isinstance(what, VenueOrder) and what.order_id == own.order_id]
    assert told == [Status.NEW, Status.FILLED]
