"""Shadow books: the same orders under other profiles, in books of their own, that no decision ever sees."""

from collections import defaultdict
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import money
from engine.core.config import MINUTE, SECOND, PaperModel
from engine.core.engine import Engine
from engine.core.events import FundingRate, Quote, RunStarted
from engine.core.facts import Alert, Cancel, EquityMarked, Fact, FundingPaid, OrderChanged, ShadowFilled, WakeAt
from engine.core.margin import NOWHERE
from engine.core.paper import PaperBroker
from engine.core.paper_ledger import PaperLedger, PaperPosition
from engine.core.paper_state import PaperAccount, PaperState, opening_state
from engine.core.profiles import OPTIMISTIC, PESSIMISTIC, PROFILES, models, optimistic, pessimistic
from engine.core.shadows import Shadows
from engine.core.words import AlertKind
from tests.core.test_paper import COIN, NOTE, T0, D, bar, book, limit, market, quote, trade
from tests.core.test_paper_properties import CASH, INSTRUMENTS, Step, histories, new_broker, run
from tests.core.test_paper_stops import stop
from tests.rig import START_NS, SYMBOL, Rig, d

MS = 1_000_000
EVEN = PaperModel(latency_ns_min=100 * MS, latency_ns_max=100 * MS)
"""Base 100 ms, pessimistic 200 ms, optimistic 50 ms."""

TIMEOUT = 5 * MINUTE


class Shadowed:
    """A broker with its two shadows, and what they tell."""

    def __init__(self, model: PaperModel = EVEN, state: PaperState | None = None, symbols: Any = (COIN, NOTE)) -> None:
        self.instruments = {instrument.symbol: instrument for instrument in symbols}
        self.state = state or opening_state(D("10000"))
        for profile in PROFILES:
            self.state.shadows.setdefault(profile, PaperAccount(self.state.ledger.copy()))
        self.told: list[ShadowFilled | Alert] = []
        shadows = Shadows(
            self.instruments, models(model), 1, self.state.shadows, self.state.market, TIMEOUT, self.told.append
        )
        self.broker = PaperBroker(self.instruments, model, 1, self.state, shadows)

    def held(self) -> tuple[int, int, int]:
        """Quantity of COIN: pessimistic, base, optimistic."""
        worse, better = (self.state.shadows[profile].ledger.qty("COIN") for profile in PROFILES)
        return worse, self.state.ledger.qty("COIN"), better

    def filled(self, profile: str) -> list[tuple[str, int, int]]:
        """(order, quantity, price) of a profile's fills."""
        told = (each for each in self.told if isinstance(each, ShadowFilled))
        return [(each.order_id, each.qty, each.price) for each in told if each.profile == profile]


# --- the profiles ---


def test_the_edges_follow_the_base_by_the_stated_rules() -> None:
    base = PaperModel(displayed_max=D("0.2"), slow_share=D("0.01"), latency_ns_slow=260 * MS)
    worse, better = pessimistic(base), optimistic(base)
    assert (worse.latency_ns_min, worse.latency_ns_max, worse.latency_ns_slow) == (120 * MS, 280 * MS, 520 * MS)
    assert (better.latency_ns_min, better.latency_ns_max, better.slow_share) == (30 * MS, 70 * MS, 0)
    assert (better.slippage_min, better.slippage_max) == (base.slippage_min, worse.slippage_min)
    assert worse.slippage_max == base.slippage_max
    assert (worse.displayed_max, better.displayed_max) == (D("0.1"), D("0.4"))
    assert (worse.touch_fills, better.touch_fills) == (False, True)


# --- the same order, three times ---


def test_each_profile_meets_the_market_when_its_own_message_arrives() -> None:
    desk = Shadowed()
    desk.broker.on_market(quote(T0, ask="101"))
    desk.broker.submit(market("1"), T0)
    for after_ms, ask in ((60, "102"), (120, "103"), (250, "104")):
        desk.broker.on_market(quote(T0 + after_ms * MS, ask=ask, ask_qty="50"))
    assert desk.filled(OPTIMISTIC) == [("m", D("1"), D("101"))]
    assert desk.state.ledger.positions["COIN"].cost == D("102")
    assert desk.filled(PESSIMISTIC) == [("m", D("1"), D("103"))]


def test_a_shadow_takes_its_own_share_and_remembers_only_what_it_took_itself() -> None:
    model = msgspec.structs.replace(EVEN, displayed_max=D("0.5"))
    desk = Shadowed(model)
    desk.broker.on_market(book(T0, "100:9", "101:4 102:8 103:16"))
    desk.broker.submit(market("4"), T0)
    desk.broker.advance(T0 + SECOND)
    assert desk.filled(OPTIMISTIC) == [("m", D("4"), D("101"))]
    assert desk.state.ledger.positions["COIN"].cost == D("101") * 2 + D("102") * 2
    assert desk.filled(PESSIMISTIC) == [("m", D("1"), D("101")), ("m", D("2"), D("102")), ("m", D("1"), D("103"))]


def test_the_queue_moves_by_the_rule_of_each_profile() -> None:
    desk = Shadowed()
    desk.broker.on_market(book(T0, "100:8 99:1", "101:5"))
    desk.broker.submit(limit("2", "100"), T0)
    desk.broker.on_market(book(T0 + SECOND, "100:4 99:1", "101:5"))
    desk.broker.on_market(trade(T0 + 2 * SECOND, "100", "5", -1))
    assert desk.held() == (0, 0, D("1"))


def test_a_bar_that_touches_the_limit_fills_the_optimistic_shadow_alone() -> None:
    desk = Shadowed()
    desk.broker.on_market(bar(-1, "100", "100", "100", "100"))
    desk.broker.submit(limit("1", "99"), T0)
    desk.broker.on_market(bar(0, "100", "100", "99", "100"))
    assert desk.held() == (0, 0, D("1"))


# --- where base and shadow part ways ---


def rest_filled_by_the_optimist_alone(desk: Shadowed) -> None:
    """An entry of 2 at 100: 4 of the 8 before it are cancelled, 6 trade."""
    desk.broker.on_market(book(T0, "100:8 99:1", "101:5"))
    desk.broker.submit(limit("2", "100"), T0)
    desk.broker.on_market(book(T0 + SECOND, "100:4 99:1", "101:5"))
    desk.broker.on_market(trade(T0 + 2 * SECOND, "100", "6", -1))
    assert desk.held() == (0, 0, D("2"))


def test_what_a_shadow_filled_of_an_entry_the_base_took_back_is_closed_at_market() -> None:
    desk = Shadowed()
    rest_filled_by_the_optimist_alone(desk)
    desk.broker.cancel(Cancel("l", "COIN"), T0 + 3 * SECOND)
    desk.broker.on_market(book(T0 + 4 * SECOND, "100:4 99:1", "101:5"))  # the base's cancel is in: it is flat and out
    desk.broker.on_market(book(T0 + 5 * SECOND, "99:9", "101:5"))
    order, qty, price = desk.filled(OPTIMISTIC)[-1]
    assert order.startswith("closing-") and (qty, price) == (D("-2"), D("100"))
    assert desk.held() == (0, 0, 0)
    assert [account.working for account in desk.state.shadows.values()] == [{}, {}]


def test_an_entry_the_base_filled_is_taken_back_from_a_shadow_when_its_time_is_up() -> None:
    model = msgspec.structs.replace(EVEN, displayed_max=D("0.5"))
    desk = Shadowed(model)
    desk.broker.on_market(quote(T0, ask_qty="4"))
    desk.broker.submit(market("2"), T0)
    desk.broker.advance(T0 + SECOND)
    assert desk.held() == (D("1"), D("2"), D("2"))
    desk.broker.advance(T0 + TIMEOUT + SECOND)
    desk.broker.on_market(quote(T0 + TIMEOUT + 2 * SECOND, ask_qty="400"))
    assert desk.held() == (D("1"), D("2"), D("2"))


def test_an_exit_for_the_whole_base_position_closes_the_whole_of_every_shadow() -> None:
    model = msgspec.structs.replace(EVEN, displayed_max=D("0.5"))
    desk = Shadowed(model)
    desk.broker.on_market(quote(T0, ask_qty="4"))
    desk.broker.submit(market("4"), T0)
    desk.broker.advance(T0 + SECOND)
    assert desk.held() == (D("1"), D("2"), D("4"))
    desk.broker.cancel(Cancel("m", "COIN"), T0 + SECOND)
    desk.broker.advance(T0 + 2 * SECOND)
    desk.broker.submit(market("-2", "out", reduce_only=True), T0 + 2 * SECOND)
    desk.broker.on_market(quote(T0 + 3 * SECOND, bid="99", bid_qty="100"))
    desk.broker.on_market(quote(T0 + 4 * SECOND, bid="99", bid_qty="100"))
    assert desk.held() == (0, 0, 0)
    assert desk.filled(PESSIMISTIC)[-1][:2] == ("out", D("-1"))
    assert sum(qty for order, qty, _ in desk.filled(OPTIMISTIC) if order == "out") == D("-4")


def test_a_partial_exit_is_clipped_to_what_the_shadow_holds() -> None:
    model = msgspec.structs.replace(EVEN, displayed_max=D("0.5"))
    desk = Shadowed(model)
    desk.broker.on_market(quote(T0, ask_qty="4"))
    desk.broker.submit(market("2"), T0)
    desk.broker.advance(T0 + SECOND)
    desk.broker.submit(market("-1.5", "part", reduce_only=True), T0 + SECOND)
    desk.broker.on_market(quote(T0 + 2 * SECOND, bid_qty="100", ask_qty="0"))
    assert desk.held() == (0, D("0.5"), D("0.5"))


def test_a_target_waits_in_a_shadow_for_a_position_to_close() -> None:
    model = msgspec.structs.replace(EVEN, displayed_max=D("0.5"))
    desk = Shadowed(model)
    desk.broker.on_market(quote(T0, ask_qty="2"))
    desk.broker.submit(market("1"), T0)
    desk.broker.on_market(quote(T0 + 150 * MS, ask="101", ask_qty="0"))  # gone before the pessimist arrives
    desk.broker.submit(limit("-1", "105", "target", reduce_only=True), T0 + 160 * MS)
    desk.broker.advance(T0 + SECOND)
    assert desk.held() == (0, D("1"), D("1"))
    desk.broker.on_market(quote(T0 + SECOND, ask="101", ask_qty="50"))
    assert desk.held() == (D("1"), D("1"), D("1"))
    desk.broker.on_market(trade(T0 + 2 * SECOND, "106", "50", 1))
    assert desk.held() == (0, 0, 0)


def test_stops_act_in_a_shadow_on_its_own_position() -> None:
    model = msgspec.structs.replace(EVEN, displayed_max=D("0.5"))
    desk = Shadowed(model)
    desk.broker.on_market(quote(T0, ask_qty="4"))
    desk.broker.submit(market("2"), T0)
    desk.broker.advance(T0 + SECOND)
    desk.broker.submit(stop("-2", "98", reduce_only=True), T0 + SECOND)
    desk.broker.advance(T0 + 2 * SECOND)
    desk.broker.on_market(quote(T0 + 3 * SECOND, bid="97", ask="98", bid_qty="100", ask_qty="0"))
    assert [sum(q for o, q, _ in desk.filled(p) if o == "s") for p in PROFILES] == [D("-1"), D("-2")]
    assert desk.held() == (0, 0, 0)


def test_a_stop_that_fires_in_a_shadow_without_a_position_ends_there() -> None:
    desk = Shadowed()
    desk.broker.on_market(quote(T0, ask_qty="2"))
    desk.broker.submit(market("1"), T0)
    desk.broker.on_market(quote(T0 + 150 * MS, ask="101", ask_qty="0"))  # gone before the pessimist arrives
    desk.broker.submit(stop("-1", "98", reduce_only=True), T0 + 160 * MS)
    desk.broker.on_market(quote(T0 + SECOND, bid="100", ask="101", ask_qty="0"))
    assert "s" in desk.state.shadows[PESSIMISTIC].working["COIN"]
    desk.broker.on_market(quote(T0 + 2 * SECOND, bid="97", ask="98", ask_qty="0"))
    assert desk.held() == (0, 0, 0)
    assert [account.working for account in desk.state.shadows.values()] == [{}, {}]


def test_the_exit_on_its_way_closes_a_slow_shadow_and_no_second_order_is_sent() -> None:
    desk = Shadowed()
    desk.broker.on_market(quote(T0))
    desk.broker.submit(market("2"), T0)
    desk.broker.advance(T0 + SECOND)
    desk.broker.submit(market("-2", "out", reduce_only=True), T0 + SECOND)
    desk.broker.on_market(quote(T0 + SECOND + 150 * MS, bid="99"))  # the base is flat, the pessimist's exit under way
    desk.broker.on_market(quote(T0 + 2 * SECOND, bid="98"))
    assert desk.filled(PESSIMISTIC)[1:] == [("out", D("-2"), D("99"))]
    assert desk.held() == (0, 0, 0)


def test_a_shadow_is_liquidated_by_itself_and_says_so() -> None:
    carried = msgspec.structs.replace(COIN, maintenance=D("0.005"))
    state = opening_state(D("1000"))
    state.shadows[PESSIMISTIC] = PaperAccount(
        PaperLedger(D("-17900"), positions={"COIN": PaperPosition(D("190"), D("19000"))})
    )
    desk = Shadowed(state=state, symbols=(carried,))
    desk.broker.on_market(quote(T0, bid="100", ask="100", bid_qty="500"))
    desk.broker.on_market(quote(T0 + SECOND, bid="93", ask="94", bid_qty="500"))
    assert [each.kind for each in desk.told if isinstance(each, Alert)] == [AlertKind.SHADOW_LIQUIDATION]
    assert desk.filled(PESSIMISTIC)[0][1:] == (D("-190"), D("93"))


def test_what_a_shadow_holds_of_a_symbol_no_longer_traded_is_closed_at_its_last_price() -> None:
    state = opening_state(D("1000"))
    state.market.quotes["OLD"] = Quote("OLD", T0, T0, D("50"), D("52"), D("1"), D("1"))
    held = {"OLD": PaperPosition(D("2"), D("90")), "OLDER": PaperPosition(D("1"), D("7"))}
    state.shadows[OPTIMISTIC] = PaperAccount(PaperLedger(D("100"), positions=held))
    desk = Shadowed(state=state)
    ledger = desk.state.shadows[OPTIMISTIC].ledger
    assert ledger.positions == {} and ledger.cash == D("100") + D("102") + D("7")


# --- what must hold for any history ---


CARRIED = {name: msgspec.structs.replace(coin, maintenance=D("0.05")) for name, coin in INSTRUMENTS.items()}
"""Liquidation begins well before everything is lost, so that it happens in some histories."""


def shadowed(
    seed: int = 5, state: PaperState | None = None, kind: type[PaperBroker] = PaperBroker, carried: bool = False
) -> tuple[PaperBroker, list[ShadowFilled | Alert]]:
    state = state or opening_state(CASH)
    for profile in PROFILES:
        state.shadows.setdefault(profile, PaperAccount(state.ledger.copy()))
    told: list[ShadowFilled | Alert] = []
    model = PaperModel(displayed_max=money.SCALE // 5, slow_share=money.SCALE // 10, latency_ns_slow=300 * MS)
    instruments = CARRIED if carried else INSTRUMENTS
    shadows = Shadows(instruments, models(model), seed, state.shadows, state.market, TIMEOUT, told.append)
    return kind(instruments, PaperModel(), seed, state, shadows), told


@given(histories())
@settings(max_examples=100, deadline=None)
def test_the_base_is_filled_as_if_there_were_no_shadows(steps: list[Step]) -> None:
    broker, _ = shadowed()
    assert run(broker, steps) == run(new_broker(), steps)


class Watchful(PaperBroker):
    """Looks at every event of every symbol, whatever its price."""

    def _look(self) -> None:
        super()._look()
        self._bands = dict.fromkeys(INSTRUMENTS, NOWHERE)


@given(histories())
@settings(max_examples=200, deadline=None)
def test_looking_only_where_something_can_happen_misses_nothing(steps: list[Step]) -> None:
    cash = CASH // 8  # orders of a few thousand are many times this, and falls of some per cent liquidate
    heard = []
    for kind in (PaperBroker, Watchful):
        broker, told = shadowed(state=opening_state(cash), kind=kind, carried=True)
        heard.append((run(broker, steps), told))
    assert heard[0] == heard[1]


@given(histories())
@settings(max_examples=100, deadline=None)
def test_the_shadow_ledgers_are_exactly_what_their_fills_say(steps: list[Step]) -> None:
    broker, told = shadowed()
    run(broker, steps)
    for profile in PROFILES:
        mine = [fill for fill in told if isinstance(fill, ShadowFilled) and fill.profile == profile]
        ledger = broker.state.shadows[profile].ledger
        assert ledger.cash == CASH - sum(money.mul(fill.qty, fill.price) + fill.fee for fill in mine)
        held: dict[str, int] = defaultdict(int)
        for fill in mine:
            held[fill.symbol] += fill.qty
            assert fill.position_qty == held[fill.symbol]
        assert {s: p.qty for s, p in ledger.positions.items()} == {s: qty for s, qty in held.items() if qty}


@given(histories(), st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_shadows_go_on_through_a_snapshot_exactly_where_they_were(steps: list[Step], cut: int) -> None:
    straight, told = shadowed()
    run(straight, steps)
    first, before = shadowed()
    run(first, steps[:cut])
    second, after = shadowed(state=msgspec.msgpack.decode(msgspec.msgpack.encode(first.state), type=PaperState))
    run(second, steps[cut:])
    assert before + after == told
    assert msgspec.msgpack.encode(second.state) == msgspec.msgpack.encode(straight.state)


@given(histories())
@settings(max_examples=100, deadline=None)
def test_once_the_base_is_flat_and_out_the_shadows_follow(steps: list[Step]) -> None:
    broker, _ = shadowed()
    run(broker, steps)
    at_ns = T0 + 1000 * MINUTE
    broker.advance(at_ns)  # what is on its way arrives, so that all that works can be cancelled
    for symbol in INSTRUMENTS:
        for order in list(broker.state.working.get(symbol, {}).values()):
            broker.cancel(Cancel(order.order.order_id, symbol), at_ns)
    for n in range(40):  # a deep market, and an exit for whatever the base holds
        at_ns += SECOND
        for symbol in INSTRUMENTS:
            broker.on_market(Quote(symbol, at_ns, at_ns, D("100"), D("100.1"), D("9000"), D("9000")))
            qty = broker.state.ledger.qty(symbol)
            if qty and n % 5 == 4:
                out = msgspec.structs.replace(market("1", f"out{n}{symbol}", reduce_only=True), symbol=symbol, qty=-qty)
                broker.submit(out, at_ns)
    assert broker.state.ledger.positions == {}
    assert [account.ledger.positions for account in broker.state.shadows.values()] == [{}, {}]
    assert [account.working for account in broker.state.shadows.values()] == [{}, {}]


# --- the desk ---


def traded(rig: Rig) -> Rig:
    rig.enter()
    rig.quote("102", "102.1")
    rig.quote("103.2", "103.3")
    rig.quote("100", "100.1")
    rig.propose(entry="99.9", stop="99", target="103")
    for bid in ("99.9", "99.5", "98", "97"):
        rig.quote(bid, str(float(bid) + 0.1))
    rig.quote("100", "100.1", seconds=90)
    return rig


def test_shadows_change_no_decision_no_effect_and_no_id() -> None:
    plain, beside = traded(Rig()), traded(Rig(shadows=True))
    assert plain.engine.decision_hash == beside.engine.decision_hash
    assert beside.of(ShadowFilled) and not plain.of(ShadowFilled)

    def told(rig: Rig) -> list[Any]:
        kept = [item for item in rig.facts if not isinstance(item, ShadowFilled)]
        none = {"equity_pessimistic": None, "equity_optimistic": None}
        return [msgspec.structs.replace(i, **none) if isinstance(i, EquityMarked) else i for i in kept]

    assert told(plain) == told(beside)


def test_every_mark_of_equity_carries_both_shadows() -> None:
    rig = traded(Rig(shadows=True))
    marks = rig.of(EquityMarked)
    assert all(mark.equity_pessimistic is not None and mark.equity_optimistic is not None for mark in marks)
    desk = rig.engine.desk
    assert marks[-1].equity_pessimistic == desk.shadow_equity(PESSIMISTIC)
    pnl = desk.shadow_pnl(PESSIMISTIC)
    assert pnl is not None and pnl == marks[-1].equity_pessimistic - d(10_000)
    assert all(mark.equity_pessimistic is None for mark in traded(Rig()).of(EquityMarked))


def test_the_shadows_pay_funding_on_their_own_positions() -> None:
    rig = Rig(shadows=True)
    rig.send(FundingRate(SYMBOL, rig.now_ns, d("0.0001"), START_NS + 600 * SECOND))
    rig.enter()
    rig.quote("100", "100.1", seconds=700)
    assert rig.engine.paper is not None
    ledgers = [account.ledger for account in rig.engine.paper.state.shadows.values()]
    assert [ledger.funding for ledger in ledgers] == [ledger.qty(SYMBOL) // 100 for ledger in ledgers]
    assert all(ledger.funding > 0 for ledger in ledgers)


def test_a_shadow_pays_funding_while_the_base_is_flat() -> None:
    rig = Rig(shadows=True, model=PaperModel(latency_ns_min=SECOND, latency_ns_max=SECOND))
    due_ns = rig.now_ns + 1_700 * MS
    rig.send(FundingRate(SYMBOL, rig.now_ns, d("0.0001"), due_ns))
    rig.propose()
    rig.quote("100", "100.1", seconds=0.6)  # half the base's latency is over, and the optimistic entry has filled
    assert any(fact.at_ns <= due_ns for fact in rig.of(WakeAt)), "the desk asks to be woken for it"
    rig.quote("100", "100.1", seconds=0.2)
    assert rig.engine.paper is not None
    state = rig.engine.paper.state
    better = state.shadows[OPTIMISTIC].ledger
    assert better.funding == better.qty(SYMBOL) // 100 > 0, "0.01 % of 100 a unit"
    assert state.ledger.funding == state.shadows[PESSIMISTIC].ledger.funding == 0
    rig.quote("100", "100.1", seconds=0.5)
    assert rig.engine.state.positions, "entered after the settlement"
    assert rig.of(FundingPaid) == []


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_desk_with_shadows_goes_on_through_a_snapshot(cut: int) -> None:
    straight, broken = traded(Rig(shadows=True)), Rig(shadows=True)
    send, sent = broken.send, iter(range(100))

    def send_after_a_restart(event: Any) -> list[Any]:
        if next(sent) == cut:
            broken.engine = Engine(lambda _: (broken.strategy,), broken.engine.snapshot())
        return send(event)

    broken.send = send_after_a_restart  # type: ignore[method-assign]
    traded(broken)
    assert [f for f in broken.facts if isinstance(f, Fact)] == [f for f in straight.facts if isinstance(f, Fact)]
    assert broken.engine.state_hash() == straight.engine.state_hash()


def test_a_shadow_that_does_not_exist_yet_begins_with_what_the_base_holds() -> None:
    rig = Rig()
    rig.enter()
    assert rig.engine.paper is not None
    held = rig.engine.paper.state.ledger
    rig.send(RunStarted(rig.now_ns, "run2", msgspec.structs.replace(rig.config, shadows=True)))
    assert rig.engine.paper is not None
    for account in rig.engine.paper.state.shadows.values():
        assert account.ledger == held and account.ledger is not held
    assert [rig.engine.desk.shadow_pnl(profile) for profile in PROFILES] == [0, 0]
    rig.send(RunStarted(rig.now_ns, "run3", rig.config))
    assert rig.engine.paper is not None and rig.engine.paper.state.shadows == {}


def test_every_fill_of_a_shadow_belongs_to_an_order_of_the_desk_or_closes_what_only_the_shadow_held() -> None:
    rig = traded(Rig(shadows=True))
    sent = {change.order_id for change in rig.of(OrderChanged)}
    orders = {fill.order_id for fill in rig.of(ShadowFilled)}
    assert {order for order in orders if not order.startswith("closing-")} <= sent
    assert len(orders & sent) >= 3


def test_a_run_that_ends_leaves_no_shadow_position_to_the_next_one() -> None:
    desk = Shadowed()
    desk.broker.on_market(quote(T0))
    desk.broker.submit(market("1", "in"), T0)
    desk.broker.advance(T0 + SECOND)
    assert all(desk.held())
    desk.broker.submit(market("-1", "out", reduce_only=True), T0 + SECOND)
    desk.broker.advance(T0 + SECOND + 120 * MS)
    worse, base, _ = desk.held()
    assert (worse > 0, base) == (True, 0)  # the slower profile's order is still on its way
    desk.broker.finish(T0 + SECOND + 120 * MS)
    assert desk.held() == (0, 0, 0)
    assert desk.broker.next_due_ns == 0
    assert [order for order, _, _ in desk.filled(PESSIMISTIC)] == ["in", "out"]
