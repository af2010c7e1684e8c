"""The execution model on recorded markets: what is filled is what was there, and never before it was.

Bounds are computed from the recorded events alone, beside the broker: what was displayed when an order arrived, and
what traded afterwards.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from engine.core.config import SECOND, Instrument, PaperModel, QueueRule
from engine.core.events import Book, Fill, Quote, Role, Trade
from engine.core.facts import Cancel, Submit
from engine.core.money import SCALE, parse
from engine.core.paper import PaperBroker
from engine.core.paper_state import opening_state
from engine.core.words import OrderKind, TimeInForce
from engine.venues.sim.recorded import wire

SHARED = Path(os.environ.get("NIGHTDESK_SHARED", Path(__file__).parents[3] / "shared" / "data"))
FOLDER = SHARED / "crypto" / "binance_wire"
CAPTURES = ("um_btcusdt_20240718", "um_ethusdt_20240718", "spot_btcusdt_20240808")
LATENCY = SECOND // 20
PATIENCE = 20 * SECOND
"""A resting order is taken back after this long, and the next one placed."""

Tick = Quote | Book | Trade

pytestmark = [
    pytest.mark.sim,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recorded captures in {FOLDER}"),
]


@pytest.fixture(scope="module", params=CAPTURES)
def ticks(request: pytest.FixtureRequest) -> list[Tick]:
    """Quotes, books and trades of one capture, in order of arrival."""
    paths = [FOLDER / f"{request.param}.txt.gz"]
    played = wire.play(paths, wire.streams(paths))
    return [event for events in played for event in events if isinstance(event, Quote | Book | Trade)]


def broker(ticks: Sequence[Tick], rule: QueueRule = QueueRule.BEHIND, displayed: int = SCALE) -> PaperBroker:
    symbol = ticks[0].symbol
    coin = Instrument(symbol, tick=parse("0.01"), lot=parse("0.001"), min_qty=parse("0.001"), max_qty=parse("1000000"))
    model = PaperModel(latency_ns_min=LATENCY, latency_ns_max=LATENCY, queue=rule, displayed_max=displayed)
    return PaperBroker({symbol: coin}, model, 1, opening_state(parse("1000000000")))


# --- takers ---


class Shown:
    """What the newest quote and book display, kept beside the broker."""

    def __init__(self) -> None:
        self.quote: Quote | None = None
        self.book: Book | None = None

    def see(self, tick: Tick) -> None:
        if isinstance(tick, Quote):
            self.quote = tick
        elif isinstance(tick, Book):
            self.book = tick

    def side(self, sign: int) -> dict[int, int]:
        """Size by price that a taker of `sign` could meet: the quote's touch, and the book beyond or without it."""
        levels: dict[int, int] = {}
        if self.book is not None:
            levels = dict(self.book.asks if sign > 0 else self.book.bids)
        if self.quote is not None and (self.book is None or self.quote.at_ns > self.book.at_ns):
            price, qty = (self.quote.ask, self.quote.ask_qty) if sign > 0 else (self.quote.bid, self.quote.bid_qty)
            levels = {level: shown for level, shown in levels.items() if sign * (level - price) > 0} | {price: qty}
        return levels


@pytest.mark.parametrize("displayed", [SCALE, SCALE // 5])
def test_market_orders_fill_inside_the_recorded_book_and_never_more_than_it_showed(
    ticks: list[Tick], displayed: int
) -> None:
    desk, shown = broker(ticks, displayed=displayed), Shown()
    sent: dict[str, int] = {}
    count, next_ns = 0, ticks[0].at_ns + SECOND
    filled: list[tuple[str, int]] = []
    for tick in ticks:
        if 0 < desk.next_due_ns <= tick.at_ns:  # arrives before this tick: meets what was there until now
            filled += checked(desk.advance(tick.at_ns), shown, displayed)
        shown.see(tick)
        filled += checked(desk.on_market(tick), shown, displayed)
        if tick.at_ns >= next_ns and not desk.state.working and not desk.state.pending:
            sign = 1 if count % 2 else -1
            order_id, qty = f"o{count}", sign * parse("3" if count % 5 else "40")  # every fifth walks the book
            desk.submit(Submit(order_id, tick.symbol, qty, OrderKind.MARKET, TimeInForce.GTC, 0, False), tick.at_ns)
            sent[order_id] = qty
            count, next_ns = count + 1, tick.at_ns + SECOND
    done = {order_id: sum(qty for name, qty in filled if name == order_id) for order_id in sent}
    complete = [order_id for order_id, qty in sent.items() if done[order_id] == qty]
    assert len(complete) > 100 and len(filled) > len(complete)
    assert all(abs(done[order_id]) <= abs(qty) for order_id, qty in sent.items())


def checked(answers: Sequence[object], shown: Shown, displayed: int) -> Iterator[tuple[str, int]]:
    """The fills of one moment, each held against what was displayed at that moment."""
    taken: dict[int, int] = {}
    for fill in answers:
        if isinstance(fill, Fill):
            side = shown.side(1 if fill.qty > 0 else -1)
            assert fill.role is Role.TAKER and fill.slippage_source == "book"
            assert fill.price in side, "no such price was displayed"
            taken[fill.price] = taken.get(fill.price, 0) + abs(fill.qty)
            assert taken[fill.price] <= side[fill.price] * displayed // SCALE + 1
            yield fill.client_order_id, fill.qty


# --- resting orders ---


class Rested(msgspec.Struct):
    """One resting order of the least size, and the moments it filled under each rule; 0: not within its patience."""

    sign: int
    price: int
    arrived_ns: int
    until_ns: int
    ahead: int
    first_ns: dict[QueueRule, int] = {}


def rested(ticks: Sequence[Tick], rule: QueueRule) -> list[Rested]:
    """One order after the other at the best price of alternating sides, one at a time."""
    desk, found, lot = broker(ticks, rule), list[Rested](), parse("0.001")
    quote: Quote | None = None
    next_ns, open_until = ticks[0].at_ns + SECOND, 0
    for tick in ticks:
        if isinstance(tick, Quote):
            quote = tick
        for answer in [*desk.advance(tick.at_ns), *desk.on_market(tick)]:
            if isinstance(answer, Fill) and found:
                found[-1].first_ns[rule] = answer.at_ns
        if open_until and tick.at_ns >= open_until:
            open_until = 0
            desk.cancel(Cancel(f"o{len(found) - 1}", tick.symbol), tick.at_ns)
            next_ns = tick.at_ns + SECOND
        if not open_until and quote is not None and tick.at_ns >= next_ns:
            sign = 1 if len(found) % 2 else -1
            price = quote.bid if sign > 0 else quote.ask
            order = Submit(
                f"o{len(found)}", tick.symbol, sign * lot, OrderKind.LIMIT, TimeInForce.POST_ONLY, price, False
            )
            desk.submit(order, tick.at_ns)
            open_until = tick.at_ns + PATIENCE
            found.append(Rested(sign, price, tick.at_ns + LATENCY, open_until + LATENCY, 0))
        if found and not found[-1].ahead:
            working = desk.state.working.get(tick.symbol, {}).get(f"o{len(found) - 1}")
            if working is not None and working.met:
                found[-1].ahead = max(working.shown, working.ahead, 1)
    return found


def allowed(ticks: Sequence[Tick], order: Rested) -> tuple[int, int]:
    """When the tape first allowed the order to fill: from the very front of its queue, and from its very end."""
    front = end = 0
    traded = 0
    for tick in ticks:
        if not order.arrived_ns < tick.at_ns <= order.until_ns:
            continue
        if isinstance(tick, Trade):
            beyond, at = order.sign * (tick.price - order.price) < 0, tick.price == order.price
            if not beyond and not (at and tick.side == -order.sign):
                continue
            front = front or tick.at_ns
            traded += tick.qty
            if beyond or traded > order.ahead:
                return front, tick.at_ns
        elif _crosses(tick, order):  # the other side stands where the order rests
            return front or tick.at_ns, tick.at_ns
    return front, end


def _crosses(tick: Quote | Book, order: Rested) -> bool:
    if isinstance(tick, Quote):
        bid, ask = tick.bid, tick.ask
    else:
        bid, ask = tick.bids[0][0], tick.asks[0][0]
    return ask <= order.price if order.sign > 0 else bid >= order.price


def test_resting_orders_fill_no_earlier_than_the_tape_allows_bracketed_by_the_two_queue_rules(
    ticks: list[Tick],
) -> None:
    behind, proportional = rested(ticks, QueueRule.BEHIND), rested(ticks, QueueRule.PROPORTIONAL)
    assert [(o.sign, o.price, o.arrived_ns) for o in behind] == [(o.sign, o.price, o.arrived_ns) for o in proportional]
    filled_early = 0
    for late, early in zip(behind, proportional, strict=True):
        if not late.ahead:
            continue  # cancelled on arrival: the touch had moved
        front_ns, end_ns = allowed(ticks, late)
        late_ns, early_ns = late.first_ns.get(QueueRule.BEHIND, 0), early.first_ns.get(QueueRule.PROPORTIONAL, 0)
        assert late_ns == end_ns, "from the end of the queue the tape tells the moment exactly"
        if early_ns:
            assert front_ns and front_ns <= early_ns
        if late_ns:
            assert early_ns and early_ns <= late_ns
        filled_early += early_ns > 0 and (not late_ns or early_ns < late_ns)
    assert filled_early > 0, "the rules must differ somewhere, or this proves nothing"
