"""What must hold for any market and any orders: conservation, causality, repetition, and orders that end once."""

from collections import defaultdict

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import money
from engine.core.config import MINUTE, SECOND, Instrument, PaperModel
from engine.core.events import (
    Bar,
    Book,
    BrokerEvent,
    Fill,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderRefused,
    Quote,
    Role,
    Trade,
)
from engine.core.facts import Amend, Cancel, Submit
from engine.core.money import SCALE
from engine.core.paper import PaperBroker
from engine.core.paper_state import PaperState, opening_state
from engine.core.words import OrderKind, TimeInForce

T0 = 1_700_000_000 * SECOND // MINUTE * MINUTE
CASH = 10_000 * SCALE
TICK = SCALE // 10
LOT = SCALE // 100
MODEL = PaperModel()
INSTRUMENTS = {name: Instrument(name, TICK, LOT, LOT, 10_000 * SCALE) for name in ("AAA", "BBB")}

Market = Quote | Trade | Book | Bar
Step = tuple[int, Market | Submit | Cancel | Amend]
"""(nanoseconds after T0, what happens then)."""

SYMBOLS = st.sampled_from(["AAA", "BBB"])
PRICES = st.integers(980, 1_020).map(lambda n: n * TICK)
SIZES = st.integers(0, 400).map(lambda n: n * LOT)
SOME = st.integers(1, 400).map(lambda n: n * LOT)


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    bid = draw(PRICES)
    spread = draw(st.integers(1, 5)) * TICK
    return Quote(draw(SYMBOLS), 0, 0, bid, bid + spread, draw(SIZES), draw(SIZES))


@st.composite
def books(draw: st.DrawFn) -> Book:
    bid, levels = draw(PRICES), draw(st.integers(1, 4))
    ask = bid + draw(st.integers(1, 5)) * TICK
    bids = tuple((bid - n * TICK, draw(SIZES)) for n in range(levels))
    asks = tuple((ask + n * TICK, draw(SIZES)) for n in range(levels))
    return Book(draw(SYMBOLS), 0, 0, bids, asks)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    prices = draw(st.lists(PRICES, min_size=4, max_size=4))
    return Bar(draw(SYMBOLS), 0, 0, MINUTE, prices[0], max(prices), min(prices), prices[3], draw(SIZES) * 5)


TRADES = st.builds(Trade, SYMBOLS, st.just(0), st.just(0), PRICES, SOME, st.sampled_from([-1, 0, 1]))


@st.composite
def orders(draw: st.DrawFn) -> Submit:
    kind = draw(st.sampled_from(OrderKind))
    resting, stops = kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT), kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
    tifs = [TimeInForce.GTC, TimeInForce.IOC] + ([TimeInForce.POST_ONLY] if resting else [])
    return Submit(
        "",
        draw(SYMBOLS),
        draw(SOME) * draw(st.sampled_from([1, -1])),
        kind,
        draw(st.sampled_from(tifs)),
        draw(PRICES) if resting else 0,
        draw(st.booleans()),
        draw(PRICES) if stops else 0,
    )


@st.composite
def amends(draw: st.DrawFn, order: Submit) -> Amend:
    """A change of `order`: another quantity of the same side, and perhaps other prices."""
    sign = 1 if order.qty > 0 else -1
    price, stop_price = (draw(st.one_of(st.just(old), PRICES)) if old else 0 for old in (order.price, order.stop_price))
    return Amend(order.order_id, order.symbol, sign * draw(SOME), price, stop_price)


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Up to 60 steps in time order; orders are named o1, o2 …, a cancel or an amend names one of those before it."""
    at_ns, steps, placed = 0, list[Step](), list[Submit]()
    gaps = st.sampled_from([0, 1, 40_000_000, 300_000_000, SECOND, 20 * SECOND, MINUTE])
    kinds = st.one_of(quotes(), books(), TRADES, bars(), orders(), orders(), st.sampled_from([Cancel, Amend]))
    for found in draw(st.lists(kinds, max_size=60)):
        at_ns += draw(gaps)
        if isinstance(found, type):
            if placed:
                order = draw(st.sampled_from(placed))
                asked = Cancel(order.order_id, order.symbol) if found is Cancel else draw(amends(order))
                steps.append((at_ns, asked))
        elif isinstance(found, Submit):
            placed.append(msgspec.structs.replace(found, order_id=f"o{len(placed) + 1}"))
            steps.append((at_ns, placed[-1]))
        elif isinstance(found, Bar):
            steps.append((at_ns, msgspec.structs.replace(found, at_ns=T0 + at_ns, start_ns=T0 + at_ns - MINUTE)))
        else:
            steps.append((at_ns, msgspec.structs.replace(found, at_ns=T0 + at_ns, venue_ns=T0 + at_ns)))
    return steps


def new_broker(state: PaperState | None = None, seed: int = 5) -> PaperBroker:
    return PaperBroker(INSTRUMENTS, MODEL, seed, state if state is not None else opening_state(CASH))


def run(broker: PaperBroker, steps: list[Step]) -> list[BrokerEvent]:
    answers: list[BrokerEvent] = []
    for after_ns, step in steps:
        answers += broker.advance(T0 + after_ns)
        if isinstance(step, Submit):
            broker.submit(step, T0 + after_ns)
        elif isinstance(step, Cancel):
            broker.cancel(step, T0 + after_ns)
        elif isinstance(step, Amend):
            broker.amend(step, T0 + after_ns)
        else:
            answers += broker.on_market(step)
    return answers


def sent(steps: list[Step]) -> dict[str, tuple[int, Submit]]:
    return {step.order_id: (T0 + after_ns, step) for after_ns, step in steps if isinstance(step, Submit)}


def amended(order: Submit, answer: OrderAmended) -> Submit:
    """The order as the broker said it stands now: only quantity and prices may have changed."""
    assert answer.qty * order.qty > 0
    return msgspec.structs.replace(order, qty=answer.qty, price=answer.price, stop_price=answer.stop_price)


@given(histories())
@settings(max_examples=150, deadline=None)
def test_no_order_fills_more_than_it_asked_for_nor_worse_than_its_limit(steps: list[Step]) -> None:
    filled: dict[str, int] = defaultdict(int)
    known = {name: order for name, (_, order) in sent(steps).items()}
    for answer in run(new_broker(), steps):
        if isinstance(answer, OrderAmended):
            known[answer.client_order_id] = amended(known[answer.client_order_id], answer)
        if not isinstance(answer, Fill):
            continue
        order = known[answer.client_order_id]
        filled[order.order_id] += answer.qty
        assert answer.qty * order.qty > 0 and abs(filled[order.order_id]) <= abs(order.qty)
        assert answer.qty % LOT == 0 and answer.price % TICK == 0
        if order.price:
            assert (order.price - answer.price) * order.qty >= 0
        rate = 50_000 if answer.role is Role.MAKER else 100_000
        assert answer.fee == money.mul(abs(money.mul(answer.qty, answer.price)), rate)


@given(histories())
@settings(max_examples=150, deadline=None)
def test_the_ledger_is_exactly_what_the_fills_say(steps: list[Step]) -> None:
    broker = new_broker()
    done = [answer for answer in run(broker, steps) if isinstance(answer, Fill)]
    ledger = broker.state.ledger
    assert ledger.cash == CASH - sum(money.mul(fill.qty, fill.price) + fill.fee for fill in done)
    assert ledger.fees == sum(fill.fee for fill in done)
    held: dict[str, int] = defaultdict(int)
    for fill in done:
        held[fill.symbol] += fill.qty
    assert {symbol: position.qty for symbol, position in ledger.positions.items()} == {
        symbol: qty for symbol, qty in held.items() if qty
    }


@given(histories())
@settings(max_examples=150, deadline=None)
def test_nothing_happens_to_an_order_before_its_latency_and_after_its_end(steps: list[Step]) -> None:
    known, accepted, ended = sent(steps), set[str](), set[str]()
    whole = {name: order.qty for name, (_, order) in known.items()}
    filled: dict[str, int] = defaultdict(int)
    previous_ns = 0
    for answer in run(new_broker(), steps):
        assert answer.at_ns >= previous_ns
        previous_ns = answer.at_ns
        name = answer.client_order_id
        if isinstance(answer, Fill | OrderAccepted | OrderCanceled | OrderRefused | OrderAmended):
            assert name not in ended
            assert answer.at_ns >= known[name][0] + MODEL.latency_ns_min
        if isinstance(answer, OrderAccepted):
            accepted.add(name)
        if isinstance(answer, OrderAmended):
            assert name in accepted
            whole[name] = answer.qty
        if isinstance(answer, Fill):
            assert name in accepted
            filled[name] += answer.qty
        if isinstance(answer, OrderCanceled | OrderRefused) or filled[name] == whole[name]:
            ended.add(name)


@given(histories())
@settings(max_examples=150, deadline=None)
def test_reduce_only_orders_never_add_to_a_position(steps: list[Step]) -> None:
    known = sent(steps)
    held: dict[str, int] = defaultdict(int)
    for answer in run(new_broker(), steps):
        if isinstance(answer, Fill):
            before = held[answer.symbol]
            held[answer.symbol] += answer.qty
            if known[answer.client_order_id][1].reduce_only:
                assert before * answer.qty < 0 and abs(held[answer.symbol]) < abs(before)
                assert held[answer.symbol] * before >= 0


@given(histories(), st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_the_same_history_gives_the_same_answers_also_through_a_snapshot(steps: list[Step], cut: int) -> None:
    straight = new_broker()
    expected = run(straight, steps)
    first = new_broker()
    before = run(first, steps[:cut])
    raw = msgspec.msgpack.encode(first.state)
    second = new_broker(msgspec.msgpack.decode(raw, type=PaperState))
    assert before + run(second, steps[cut:]) == expected
    assert second.state == straight.state
    assert msgspec.msgpack.encode(second.state) == msgspec.msgpack.encode(straight.state)


@given(histories(), histories(), st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_changing_the_future_never_changes_the_past(steps: list[Step], others: list[Step], cut: int) -> None:
    now = steps[cut][0] if cut < len(steps) else 1 + max((step[0] for step in steps), default=0)
    past = [step for step in steps if step[0] < now]
    future = [
        (now + after_ns, _moved(step, now))
        for after_ns, step in others
        if not isinstance(step, Submit | Cancel | Amend)
    ]
    broker = new_broker()
    told = run(broker, past) + broker.advance(T0 + now - 1)
    for history in (steps, past + future):
        broker = new_broker()
        retold = run(broker, history) + broker.advance(T0 + now)
        assert [answer for answer in retold if answer.at_ns < T0 + now] == told


def _moved(step: Market | Submit | Cancel | Amend, by_ns: int) -> Market | Submit | Cancel | Amend:
    if isinstance(step, Submit | Cancel | Amend):
        return step
    if isinstance(step, Bar):
        return msgspec.structs.replace(step, at_ns=step.at_ns + by_ns, start_ns=step.start_ns + by_ns)
    return msgspec.structs.replace(step, at_ns=step.at_ns + by_ns, venue_ns=step.venue_ns + by_ns)


def test_another_seed_draws_other_latencies_and_slippage() -> None:
    order = Submit("o1", "AAA", SCALE, OrderKind.MARKET, TimeInForce.GTC, 0, False)
    first = Bar("AAA", T0, T0 - MINUTE, MINUTE, 1000 * TICK, 1001 * TICK, 999 * TICK, 1000 * TICK, 100 * SCALE)
    second = msgspec.structs.replace(first, at_ns=T0 + MINUTE, start_ns=T0)
    steps: list[Step] = [(0, first), (0, order), (MINUTE, second)]
    answers = {str(run(new_broker(seed=seed), steps)) for seed in range(10)}
    assert len(answers) == 10
