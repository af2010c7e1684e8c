"""A desk made of plain values: fixed views in the states that matter, and a `Desk` that obeys a script."""

from concurrent.futures import Future
from typing import Any

import msgspec

from engine.core.events import FeedHealth, SessionPhase
from engine.core.money import div, parse
from engine.core.view import (
    BlockView,
    BreakerView,
    CommandReceipt,
    DeskView,
    FeedView,
    HeartbeatView,
    NoteView,
    OrderView,
    PositionView,
    RegimeView,
    ReplayView,
    SignalView,
)
from engine.core.words import TERMINAL_STATE, ReasonCode, Regime, Side, TerminalState
from engine.session.ports import CommandRequest

SECOND = 1_000_000_000
NOW = 1_767_614_587 * SECOND  # 2026-01-05 12:03:07 UTC


def position(symbol: str, side: Side, qty: str, entry: str, mark: str, stop: str, heat: str) -> PositionView:
    signed = parse(qty) * side.sign
    pnl = (parse(mark) - parse(entry)) * signed // parse("1")
    return PositionView(
        symbol=symbol,
        side=side,
        qty=signed,
        entry=parse(entry),
        mark=parse(mark),
        unrealized=pnl,
        stop=parse(stop),
        target=parse(entry) + (parse(entry) - parse(stop)) * 2,
        heat=parse(heat),
        opened_ns=NOW - 41 * 60 * SECOND,
        strategy_id="trend",
    )


POSITIONS = (
    position("BTCUSDT", Side.LONG, "0.0061", "61204.5", "61388.0", "60310", "0.0021"),
    position("SOLUSDT", Side.SHORT, "2.2", "148.31", "147.02", "150.9", "0.0012"),
    position("DOTUSDT", Side.LONG, "51", "5.91", "6.02", "5.74", "0.0009"),
)
ORDERS = (
    OrderView(
        "r7-120-1", "BTCUSDT", "STOP", "ACCEPTED", -parse("0.0061"), 0, 0, NOW - 41 * 60 * SECOND, parse("60310")
    ),
    OrderView("r7-180-1", "ETHUSDT", "ENTRY", "PARTIALLY_FILLED", parse("0.12"), parse("0.05"), parse("3004.5"), NOW),
)


def signal(at: int, symbol: str, side: Side, code: ReasonCode | None, text: str, ago: int) -> SignalView:
    state = TERMINAL_STATE[code] if code else None
    return SignalView(f"20260105-085556-{1200 + at}-1", NOW - ago * SECOND, "trend", symbol, side, state, code, text)


SIGNALS = (
    signal(8, "ETHUSDT", Side.LONG, None, "pullback to the 20-bar mean", 1),
    signal(7, "SOLUSDT", Side.SHORT, ReasonCode.FILLED, "filled 2.2 at 148.31 as maker", 5),
    signal(6, "ADAUSDT", Side.LONG, ReasonCode.HEAT, "heat would be 1.08 %, limit 1.00 %", 9),
    signal(5, "BTCUSDT", Side.LONG, ReasonCode.FILLED, "filled 0.0061 at 61204.5 as maker", 26),
    signal(4, "XRPUSDT", Side.SHORT, ReasonCode.CANCELLED_UNFILLED, "not filled within 30 s", 70),
    signal(3, "LINKUSDT", Side.LONG, ReasonCode.BELOW_MIN_NOTIONAL, "notional 4.10 is below 5.00", 131),
    signal(2, "LTCUSDT", Side.LONG, ReasonCode.CORRELATION, "0.91 with BTCUSDT, limit 0.80", 170),
    signal(1, "DOTUSDT", Side.LONG, ReasonCode.FILLED, "filled 51 at 5.91 as maker", 220),
)


def breaker(name: str, label: str, value: str, limit: str, unit: str, action: str = "halt_day") -> BreakerView:
    used = div(parse(value), parse(limit))
    return BreakerView(name, label, parse(value), parse(limit), unit, used, False, action, "")


BREAKERS = (
    breaker("consecutive_losses", "losses in a row", "4", "5", "count"),
    breaker("daily_loss", "daily loss", "12.3", "50", "money"),
    breaker("daily_drawdown", "day drawdown", "0.0042", "0.05", "fraction"),
    breaker("total_drawdown", "total drawdown", "0.011", "0.1", "fraction", "shutdown"),
    breaker("errors", "errors", "0", "20", "count", "shutdown"),
    breaker("error_rate", "errors in 1 h", "0", "10", "count"),
    breaker("feed_health", "feed outages", "1", "5", "count"),
    breaker("venue_refusals", "venue refusals", "0", "5", "count"),
    breaker("slippage", "slippage", "0.0011", "0.00525", "fraction"),
    breaker("phase_unknown", "phase unknown", "0", "8", "count", "block"),
    breaker("heat", "heat", "0.0042", "0.01", "fraction", "watch"),
)
FEEDS = tuple(
    FeedView(symbol, FeedHealth.LIVE, NOW - 300_000_000 * at, parse("100"), parse("100.1"))
    for at, symbol in enumerate(("BTCUSDT", "ETHUSDT", "SOLUSDT", "DOTUSDT"))
)
NOTES = (
    NoteView(214, NOW - 5 * SECOND, "info", "fill", "SOLUSDT SELL 2.2 at 148.31, fee 0.16"),
    NoteView(213, NOW - 9 * SECOND, "info", "signal", "ADAUSDT LONG ended as heat: would be 1.08 %"),
    NoteView(212, NOW - 40 * SECOND, "warning", "feed_changed", "LTCUSDT silent for 15 s"),
    NoteView(211, NOW - 90 * SECOND, "error", "error", "venue answered 500 to a query; asked again"),
)
REPLAY = ReplayView(
    number=12_345,
    count=2_600_000,
    first_ns=NOW - 3600 * SECOND,
    last_ns=NOW + 71 * 3600 * SECOND,
    playing=True,
    speed=60,
    text="trade 3 of 17: SOLUSDT SHORT closed by TARGET: 12.30",
)
PULSE = HeartbeatView(
    count=11_212,
    last_ns=NOW - 400_000_000,
    max_gap_ns=1_090_000_000,
    late_p99_us=900,
    loop_lag_p50_us=400,
    loop_lag_p99_us=3_400,
    loop_lag_max_us=9_100,
    commit_p99_us=2_200,
    decision_p99_us=88,
    queue_depth=2,
    gap_count=1,
    rss_bytes=84_500_000,
)
COUNTS = {state.value: 0 for state in TerminalState} | {
    TerminalState.EXECUTED.value: 12,
    TerminalState.REJECTED_BY_HEAT.value: 9,
    TerminalState.REJECTED_BY_CORRELATION.value: 4,
    TerminalState.REJECTED_BY_SIZING.value: 3,
    TerminalState.REJECTED_BY_BROKER.value: 2,
}
BUSY = DeskView(
    env="paper",
    run_id="20260105-085556",
    phase=SessionPhase.RUNNING,
    at_ns=NOW,
    started_ns=NOW - 11_212 * SECOND,
    duration_ns=72 * 3600 * SECOND,
    elapsed_ns=11_212 * SECOND,
    venue="sim",
    broker="paper",
    source="generated",
    clock="wall",
    seed=42,
    pid=4711,
    phase_text="",
    starting_equity=parse("10000"),
    equity=parse("10012.34"),
    cash=parse("9500"),
    unrealized=sum(one.unrealized for one in POSITIONS),
    realized=parse("14.2"),
    fees=parse("3.81"),
    funding=0,
    day_pnl=parse("12.34"),
    drawdown=parse("0.0042"),
    exposure=parse("1400"),
    heat=parse("0.0042"),
    heat_limit=parse("0.01"),
    positions=POSITIONS,
    orders=ORDERS,
    signals=COUNTS,
    signal_reasons={
        **{"filled": 12, "heat": 2, "max_positions": 7, "correlation": 4},
        **{"below_min_notional": 3, "cancelled_unfilled": 2},
    },
    signals_total=31,
    signals_in_flight=1,
    recent_signals=SIGNALS,
    breakers=BREAKERS,
    blocks=(),
    kill_latched=False,
    feeds=FEEDS,
    notes=NOTES,
    equity_curve=tuple(parse("10000") + parse("0.4") * (at * at % 37) for at in range(120)),
    heartbeat=PULSE,
    trades=14,
    wins=8,
    market_events=1_121_200,
    journal_rows=48_211,
    journal_head="9f2c11ab77",
    positions_max=5,
    regime=RegimeView(Regime.NORMAL, parse("17.2"), NOW - 12 * 3600 * SECOND, "generated", True, NOW - 86_400 * SECOND),
    market_phases={"BTCUSDT": "TREND_UP", "ETHUSDT": "SIDEWAYS", "SOLUSDT": "SIDEWAYS", "DOTUSDT": "VOLATILE"},
)


def changed(view: DeskView, **fields: Any) -> DeskView:
    return msgspec.structs.replace(view, **fields)


OPERATOR = BlockView("operator", "paused by anna", "resume (r)", NOW - 60 * SECOND)
STALE_DATA = BlockView("stale_data", "LTCUSDT silent for 15 s", "fresh data", NOW - 20 * SECOND)
RECONCILIATION = BlockView("reconciliation", "1 order unknown to the venue", "a clean reconciliation", NOW - 9 * SECOND)
RELEASE = NOW + 43_013 * SECOND  # midnight
TRIPPED = msgspec.structs.replace(
    BREAKERS[1],
    value=parse("50.12"),
    used=parse("1.0024"),
    tripped=True,
    lifts="the next trading day, or reset-breaker",
    text="50.12 >= 50.00",
    since_ns=NOW - 9 * SECOND,
    release_ns=RELEASE,
)
HALT = BlockView(
    "breaker", "daily loss 50.12 >= 50.00", "the next trading day, or reset-breaker", NOW - 9 * SECOND, RELEASE
)
EMPTY = changed(
    BUSY,
    phase=SessionPhase.SEEDING_HISTORY,
    phase_text="seeding history, 3 of 8 symbols",
    started_ns=0,
    elapsed_ns=0,
    equity=parse("10000"),
    unrealized=0,
    realized=0,
    fees=0,
    day_pnl=0,
    drawdown=0,
    heat=0,
    positions=(),
    orders=(),
    signals={state.value: 0 for state in TerminalState},
    signal_reasons={},
    signals_total=0,
    signals_in_flight=0,
    recent_signals=(),
    breakers=tuple(msgspec.structs.replace(one, value=0, used=0) for one in BREAKERS),
    blocks=(BlockView("starting", "seeding history", "history for 8 symbols", NOW),),
    feeds=(),
    notes=(),
    equity_curve=(),
    heartbeat=HeartbeatView(),
    trades=0,
    wins=0,
    market_events=0,
)
BLOCKED = changed(
    BUSY,
    blocks=(OPERATOR, STALE_DATA, HALT),
    breakers=(BREAKERS[0], TRIPPED, *BREAKERS[2:]),
    feeds=(*FEEDS[:3], FeedView("LTCUSDT", FeedHealth.STALE, NOW - 20 * SECOND, parse("82"), parse("82.1"))),
)
KILLED = changed(
    BUSY,
    kill_latched=True,
    positions=(),
    orders=(),
    heat=0,
    unrealized=0,
    blocks=(BlockView("kill", "killed from the console by anna", "nightdesk rearm", NOW),),
)


class ScriptedDesk:
    """Shows the view it is given, keeps the commands it gets, answers when told to."""

    def __init__(self, view: DeskView | None = BUSY) -> None:
        self.shown = view
        self.commands: list[CommandRequest] = []
        self.answers: list[Future[CommandReceipt]] = []
        self.stops: list[tuple[str, bool]] = []
        self.over = False
        self.broken = False

    def view(self) -> DeskView | None:
        return self.shown

    def command(self, request: CommandRequest) -> Future[CommandReceipt]:
        if self.broken:
            raise ConnectionError("the socket is gone")
        self.commands.append(request)
        answer: Future[CommandReceipt] = Future()
        self.answers.append(answer)
        return answer

    def stop(self, reason: str, *, keep_positions: bool = False) -> None:
        self.stops.append((reason, keep_positions))

    def ended(self) -> bool:
        return self.over

    @property
    def acts(self) -> list[str]:
        return [command.act.value for command in self.commands]
