"""The event stream: exact names and fields, numbered without a hole, valid JSON, no secret."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.config import MINUTE, SECOND, Limits, RegimeModel, StrategySpec
from engine.core.events import Act, AnyEvent, Bar, Book, FeedChanged, FeedHealth, GapDetected, Quote, Trade
from engine.core.facts import AccountLiquidated, AnyFact, Fact, FeedNoted, OrderChanged, SignalEnded
from engine.core.view import DeskView, HeartbeatView
from engine.core.words import OrderKind, OrderState, Purpose, ReasonCode, Regime, Side, TerminalState, TimeInForce
from engine.session.ports import Batch
from engine.session.scrub import Scrubber
from engine.session.stream import (
    NAMES,
    WEEK_FIELDS,
    EventStream,
    SessionLog,
    from_fact,
    from_input,
    heartbeat,
    shutdown,
    startup,
    week_ended,
)
from engine.session.viewing import Progress, RunFacts, desk_view
from tests.rig import INDEX, START_NS, SYMBOL, Rig, d

CANARY = "canary-7f3a9b2c1d"
FIELDS = {
    "SYSTEM_STARTUP": {"mode", "config"},
    "SYSTEM_SHUTDOWN": {"reason", "exit_code"},
    "CandleClosed": {"ts", "close"},
    "TickReceived": {"bid", "ask"},
    "GapDetected": {"missing_count", "prev_ts", "curr_ts"},
    "ORDER_BOOK_STALE": {"timeout", "last_msg"},
    "OrderSubmitted": {"client_order_id", "side", "qty"},
    "OrderRejected": {"reason"},
    "ExecutionFill": {"side", "price", "qty", "fees", "at", "client_order_id"},
    "ExecutionExit": {"reason", "price", "pnl"},
    "CircuitBreakerTripped": {"reason", "detail"},
    "KillSwitchActivated": {"source"},
    "AccountLiquidated": {"symbol", "client_order_id", "qty", "equity", "margin"},
    "RegimeChanged": {"previous", "regime", "raw", "previous_level", "level", "of", "source", "simulated"},
    "StrategySwitched": {"strategy_id", "enabled", "regime"},
    "ExposureSpiked": {"before", "exposure", "rise", "limit"},
    "MarketPhaseChanged": {"symbol", "previous", "phase"},
    "WeekEnded": {"week", "first_day", "last_day", "net_pnl", "ending_equity", "trades", "wins", "error_count"},
    "AsyncHeartbeat": {"price", "pos", "equity", "unrealized", "elapsed"},
}


def quote(at_ns: int, symbol: str = SYMBOL, bid: str = "100", ask: str = "100.1") -> Quote:
    return Quote(symbol, at_ns, at_ns, d(bid), d(ask), d("1"), d("1"))


def batch(inputs: list[AnyEvent], facts: list[tuple[int, AnyFact]] | None = None, first_seq: int = 0) -> Batch:
    return Batch("run1", first_seq, inputs, facts or [], 0)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def view_of(rig: Rig) -> DeskView:
    run = RunFacts("paper", "run1", "sim", "paper", "generated", "wall", 7, 1, 0)
    progress = Progress(rig.now_ns, START_NS, 61_500_000_000, "", HeartbeatView(), (), 1, "ab")
    return desk_view(rig.engine, run, progress)


class Recorder(Rig):
    """A core whose inputs and facts are collected as the journal would get them."""

    def __init__(self, **config: Any) -> None:
        self.inputs: list[AnyEvent] = []
        self.told: list[tuple[int, AnyFact]] = []
        super().__init__(**config)

    def send(self, event: AnyEvent) -> list[Any]:
        out = super().send(event)
        self.told += [(len(self.inputs), item) for item in out if isinstance(item, Fact)]
        self.inputs.append(event)
        return out


def test_a_whole_run_tells_every_event_with_its_fields_and_without_a_hole(tmp_path: Path) -> None:
    strategy = StrategySpec("scripted", "scripted", {}, (SYMBOL,), (Regime.NORMAL, Regime.ELEVATED))
    regimes = RegimeModel(source=INDEX, spike_rise=d("0.05"))
    rig = Recorder(limits=Limits(consecutive_losses_max=1), strategies=(strategy,), regimes=regimes)
    rig.volatility("25")
    path = tmp_path / "events.jsonl"
    stream = EventStream(path, "paper")
    stream.append_event(START_NS, startup("PAPER", {"seed": 1}))
    rig.enter()
    beat = heartbeat(view_of(rig))
    rig.quote("98", "98.1")  # through the stop
    rig.quote("98", "98.1")
    rig.now_ns += SECOND
    rig.send(Bar(SYMBOL, rig.now_ns, START_NS, MINUTE, d("100"), d("100"), d("98"), d("98.05"), d("5")))
    rig.send(GapDetected(SYMBOL, rig.now_ns, 3, START_NS, START_NS + 4 * MINUTE))
    rig.send(FeedChanged(SYMBOL, rig.now_ns, FeedHealth.STALE, 15 * SECOND))
    rig.command(Act.KILL, "enough")
    stream.written(batch(rig.inputs, rig.told))
    stream.append_event(rig.now_ns, beat)
    rejected = order(OrderState.REJECTED, previous=OrderState.SUBMITTED, reason_code="insufficient_margin")
    liquidated = AccountLiquidated(rig.now_ns, SYMBOL, "liquidation-3", d("-2"), d("59"), d("60"), "equity 59 of 60")
    stream.written(batch([quote(rig.now_ns)], [(0, rejected), (0, liquidated)]))
    stream.append_event(rig.now_ns, week_ended(dict.fromkeys(WEEK_FIELDS, "0") | {"days": []}))
    stream.append_event(rig.now_ns, shutdown("kill_switch", 0))
    stream.close()

    events = read(path)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["event"] for event in events} == set(NAMES) == set(FIELDS)
    for event in events:
        assert event.keys() >= FIELDS[event["event"]] | {"seq", "ts", "event", "mode"}, event
        assert event["mode"] == "PAPER"
    assert stream.lost == 0


def order(state: OrderState, previous: OrderState = OrderState.NEW, **changes: Any) -> OrderChanged:
    plain = OrderChanged(
        *(START_NS, "run1-5-2", "run1-5-1", "trend", SYMBOL, Purpose.ENTRY, OrderKind.LIMIT, TimeInForce.POST_ONLY),
        *(d("-0.5"), d("100.5"), False, previous, state),
    )
    return msgspec.structs.replace(plain, **changes)


def test_an_order_is_told_when_it_is_submitted_and_when_it_is_refused() -> None:
    ((name, fields),) = from_fact(order(OrderState.SUBMITTED))
    assert name == "OrderSubmitted"
    assert (fields["client_order_id"], fields["side"], fields["qty"]) == ("run1-5-2", "SELL", "0.5")
    refused = order(OrderState.REJECTED, OrderState.SUBMITTED, reason_code="venue_refused", text="no\x1b[1m")
    assert from_fact(refused) == [
        (
            "OrderRejected",
            {
                "symbol": SYMBOL,
                "reason": "venue_refused",
                "by": "broker",
                "detail": "no",
                "notional": "50.25",
                "client_order_id": "run1-5-2",
            },
        )
    ]
    assert from_fact(order(OrderState.ACCEPTED, OrderState.SUBMITTED)) == []


def test_an_order_the_desk_itself_refuses_is_told_once() -> None:
    ended = SignalEnded(
        *(START_NS, "s", "trend", SYMBOL, Side.LONG, TerminalState.REJECTED_BY_BROKER, ReasonCode.NOTIONAL),
        *("above the largest notional", d("250000"), d("200000")),
    )
    ((name, fields),) = from_fact(ended)
    assert (name, fields["reason"], fields["notional"]) == ("OrderRejected", "notional_exceeded", "250000")
    by_broker = msgspec.structs.replace(ended, reason_code=ReasonCode.VENUE_REFUSED, value=0, limit=0)
    assert from_fact(by_broker) == []  # the order's own change has told it
    ((_, fields),) = from_fact(msgspec.structs.replace(by_broker, reason_code=ReasonCode.INTERNAL_ERROR))
    assert (fields["reason"], fields["by"]) == ("internal_error", "desk")
    heat = msgspec.structs.replace(ended, state=TerminalState.REJECTED_BY_HEAT, reason_code=ReasonCode.HEAT)
    assert from_fact(heat) == []


def test_a_gap_and_a_silence_name_their_times() -> None:
    gap = FeedNoted(START_NS, SYMBOL, "GAP_DETECTED", "3 bars missing", 3, START_NS, START_NS + 4 * MINUTE)
    assert from_fact(gap) == [
        (
            "GapDetected",
            {
                "symbol": SYMBOL,
                "missing_count": 3,
                "prev_ts": "2026-01-01T00:00:00.000000Z",
                "curr_ts": "2026-01-01T00:04:00.000000Z",
            },
        )
    ]
    ((_, fields),) = from_fact(FeedNoted(START_NS + 15 * SECOND, SYMBOL, "ORDER_BOOK_STALE", "silent", 15 * SECOND))
    assert (fields["timeout"], fields["last_msg"]) == (15.0, "2026-01-01T00:00:00.000000Z")
    assert from_fact(FeedNoted(START_NS, SYMBOL, "FEED_LIVE", "back")) == []


def test_inputs_are_ticks_and_live_candles_and_nothing_else() -> None:
    assert from_input(quote(START_NS)) == [("TickReceived", {"symbol": SYMBOL, "bid": "100", "ask": "100.1"})]
    book = Book(SYMBOL, START_NS, START_NS, ((d("99"), 1), (d("98"), 1)), ((d("101"), 1),))
    assert from_input(book)[0][1] == {"symbol": SYMBOL, "bid": "99", "ask": "101"}
    bar = Bar(SYMBOL, START_NS, START_NS - MINUTE, MINUTE, 1, 1, 1, d("99.5"), 1)
    ((name, fields),) = from_input(bar)
    assert (name, fields["ts"], fields["close"]) == ("CandleClosed", "2026-01-01T00:00:00.000000Z", "99.5")
    assert from_input(msgspec.structs.replace(bar, backfilled=True)) == []
    assert from_input(Trade(SYMBOL, START_NS, START_NS, 1, 1)) == []


def test_ticks_are_sampled_once_a_second_and_symbol(tmp_path: Path) -> None:
    stream = EventStream(tmp_path / "events.jsonl", "paper")
    ticks: list[AnyEvent] = []
    for tenth in range(30):
        at_ns = START_NS + tenth * SECOND // 10
        ticks += [quote(at_ns), quote(at_ns, "ETHUSDT")]
    stream.written(batch(ticks[:25]))
    stream.written(batch(ticks[25:], first_seq=25))
    stream.close()
    events = read(tmp_path / "events.jsonl")
    assert [(event["symbol"], event["ts"][17:19]) for event in events] == [
        (symbol, second) for second in ("00", "01", "02") for symbol in (SYMBOL, "ETHUSDT")
    ]


def test_facts_follow_the_input_that_caused_them(tmp_path: Path) -> None:
    stream = EventStream(tmp_path / "events.jsonl", "paper")
    facts: list[tuple[int, AnyFact]] = [
        (11, order(OrderState.SUBMITTED)),
        (11, order(OrderState.REJECTED, OrderState.SUBMITTED)),
        (12, order(OrderState.SUBMITTED)),
    ]
    stream.written(batch([quote(START_NS), quote(START_NS, "A"), quote(START_NS, "B")], facts, first_seq=10))
    stream.close()
    assert [event["event"] for event in read(tmp_path / "events.jsonl")] == [
        *("TickReceived", "TickReceived", "OrderSubmitted", "OrderRejected", "TickReceived", "OrderSubmitted")
    ]


def test_the_heartbeat_names_the_first_symbols_position_and_all_of_them() -> None:
    rig = Rig()
    assert heartbeat(view_of(rig))[1]["pos"] == "FLAT"
    rig.enter()
    name, fields = heartbeat(view_of(rig))
    view = view_of(rig)
    assert name == "AsyncHeartbeat"
    assert (fields["pos"], fields["price"], fields["elapsed"]) == ("LONG", "100.05", 61.5)
    assert fields["positions"] == {SYMBOL: "9.09"}
    assert d(fields["equity"]) == view.equity
    assert d(fields["unrealized"]) == view.unrealized


def test_no_secret_gets_into_the_stream_or_the_session_log(tmp_path: Path) -> None:
    scrubber = Scrubber([CANARY])
    stream = EventStream(tmp_path / "events.jsonl", "live", scrubber)
    stream.append_event(1, startup("LIVE", {"venue": {"api_key": "abc", "url": f"https://h/{CANARY}"}, "seed": 7}))
    stream.append_event(2, shutdown(f"failed: {CANARY}", 1))
    stream.close()
    session = SessionLog(tmp_path / "session.log", scrubber)
    session.say(f"the venue said \x1b[2J{CANARY}\nand password=hunter2")
    session.close()
    events = (tmp_path / "events.jsonl").read_text()
    assert CANARY not in events
    assert read(tmp_path / "events.jsonl")[0]["config"] == {
        "venue": {"api_key": "***", "url": "https://h/***"},
        "seed": 7,
    }
    assert (tmp_path / "session.log").read_text() == "the venue said *** and password=***\n"


def test_any_text_from_outside_stays_one_json_line(tmp_path: Path) -> None:
    stream = EventStream(tmp_path / "events.jsonl", "paper")
    hostile = 'a"}\n{"seq":99}\u2028\u202e\ud800'
    stream.written(batch([quote(START_NS, 'B"\n\x00TC')], [(0, order(OrderState.REJECTED, text=hostile))]))
    stream.close()
    assert [event["seq"] for event in read(tmp_path / "events.jsonl")] == [1, 2]


@pytest.mark.parametrize("patient", [False, True])
def test_what_is_flushed_is_there(tmp_path: Path, patient: bool) -> None:
    stream = EventStream(tmp_path / "events.jsonl", "paper", patient=patient)
    stream.append_event(1, shutdown("over", 0))
    assert stream.flush()
    assert len(read(tmp_path / "events.jsonl")) == 1
    stream.close()
