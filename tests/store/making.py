"""Small desks for the tests of the store: batches with quotes and facts, a clock that stands still."""

from collections.abc import Sequence
from pathlib import Path

from engine.core.config import CoreConfig
from engine.core.events import AnyEvent, Quote, RunStarted
from engine.core.facts import (
    AccountLiquidated,
    AmendRequested,
    AnyFact,
    BlockChanged,
    BreakerChanged,
    Check,
    DayRolled,
    DiscrepancyChanged,
    EquityMarked,
    ErrorCounted,
    ExposureSpiked,
    FeedNoted,
    FillBooked,
    FundingPaid,
    HeatNoted,
    KillChanged,
    LossExceeded,
    MarketPhaseChanged,
    OperatorActed,
    OrderChanged,
    OrderStuck,
    PhaseChanged,
    Reconciled,
    RegimeChanged,
    ShadowFilled,
    SignalEnded,
    SignalJudged,
    SignalRaised,
    StrategyDecided,
    StrategySwitched,
    TradeClosed,
)
from engine.core.money import parse
from engine.core.words import (
    BlockReason,
    BreakerName,
    Decision,
    ExitReason,
    OrderKind,
    OrderState,
    Purpose,
    ReasonCode,
    Regime,
    Side,
    TerminalState,
    TimeInForce,
)
from engine.session.clock import VirtualClock
from engine.session.ports import Batch
from store.desk import Store, open_store

T0 = 1_760_000_000_000_000_000
SECOND = 1_000_000_000


def desk(folder: Path, env: str = "paper", *, threaded: bool = False) -> Store:
    return open_store(folder / "desk.db", env, VirtualClock(T0), threaded=threaded)


def quote(seq: int, symbol: str = "BTCUSDT") -> Quote:
    bid = parse("60000") + seq % 97 * parse("0.1")
    return Quote(symbol, T0 + seq * SECOND, T0 + seq * SECOND - 5, bid, bid + parse("0.1"), parse("1.5"), seq + 1)


def quotes(first_seq: int, count: int) -> list[AnyEvent]:
    return [quote(seq, ("BTCUSDT", "ETHUSDT")[seq % 2]) for seq in range(first_seq, first_seq + count)]


def run_started(run_id: str = "run-1") -> RunStarted:
    return RunStarted(T0, run_id, CoreConfig("paper", 7, True, parse("10000"), (), (), config_hash="abc"))


def batch(
    first_seq: int,
    inputs: Sequence[AnyEvent] | int = 10,
    facts: Sequence[tuple[int, AnyFact]] = (),
    run_id: str = "run-1",
    snapshot: bytes | None = None,
) -> Batch:
    inputs = quotes(first_seq, inputs) if isinstance(inputs, int) else inputs
    return Batch(run_id, first_seq, inputs, facts, T0 + first_seq * SECOND, snapshot)


def raised(signal_id: str = "s1", symbol: str = "BTCUSDT", at_ns: int = T0) -> SignalRaised:
    return SignalRaised(
        *(at_ns, signal_id, "trend", symbol, Side.LONG, parse("60000"), parse("59000"), parse("62000")),
        *("UPTREND", "CALM", "two averages crossed"),
    )


def judged(signal_id: str = "s1") -> SignalJudged:
    return SignalJudged(
        T0, signal_id, (Check(0, "kill", 0, 0, True), Check(4, "heat", parse("0.004"), parse("0.01"), True))
    )


def ended(
    signal_id: str = "s1",
    state: TerminalState = TerminalState.EXECUTED,
    reason: ReasonCode = ReasonCode.FILLED,
    text: str = "filled",
    symbol: str = "BTCUSDT",
) -> SignalEnded:
    return SignalEnded(T0 + 9, signal_id, "trend", symbol, Side.LONG, state, reason, text, parse("0.5"), parse("1"))


def order(
    order_id: str = "o1",
    state: OrderState = OrderState.SUBMITTED,
    filled: str = "0",
    signal_id: str = "s1",
    at_ns: int = T0 + 1,
    venue_order_id: str = "",
) -> OrderChanged:
    return OrderChanged(
        *(at_ns, order_id, signal_id, "trend", "BTCUSDT", Purpose.ENTRY, OrderKind.LIMIT, TimeInForce.GTC),
        *(parse("0.2"), parse("60000"), False, OrderState.NEW, state, parse(filled), parse("60000")),
        venue_order_id=venue_order_id,
    )


def filled(
    fill_id: str, qty: str, price: str, after: str, realized: str = "0", fee: str = "1.2", order_id: str = "o1"
) -> FillBooked:
    purpose = Purpose.ENTRY if order_id == "o1" else Purpose.TARGET
    return FillBooked(
        *(T0 + 2, fill_id, order_id, "s1", "trend", "BTCUSDT", purpose, parse(qty), parse(price), parse(fee)),
        *("TAKER", parse(realized), parse(price), parse(after), 80_000_000, "config", "model"),
    )


def trade(trade_id: str = "t1", pnl: str = "197.6", at_ns: int = T0 + 3 * SECOND) -> TradeClosed:
    return TradeClosed(
        *(at_ns, trade_id, "s1", "trend", "BTCUSDT", Side.LONG, parse("0.2"), parse("60000"), parse("61000")),
        *(T0 + 2, parse(pnl), parse("2.4"), 0, ExitReason.TP, "UPTREND", "CALM"),
    )


def mark(equity: str = "10197.6") -> EquityMarked:
    return EquityMarked(T0 + 5, parse(equity), parse(equity), 0, parse("200"), parse("2.4"), 0, 0, 0, 0)


def regime_changed() -> RegimeChanged:
    return RegimeChanged(
        *(T0, Regime.ELEVATED, Regime.CRISIS, Regime.CRISIS, parse("29.5"), parse("31"), T0 - 60 * SECOND),
        *("file:vix.csv", False, parse("0.007"), parse("0.004"), parse("400"), "the volatility index stands at 31.00"),
    )


def round_trip(seq: int) -> list[tuple[int, AnyFact]]:
    """One signal from being raised to its closed trade."""
    facts: list[AnyFact] = [
        raised(),
        order(),
        filled("f1", "0.1", "60000", "0.1"),
        filled("f2", "0.1", "60000", "0.2"),
        order(state=OrderState.FILLED, filled="0.2", venue_order_id="v1"),
        ended(),
        filled("f3", "-0.2", "61000", "0", realized="200", order_id="o2"),
        trade(),
        mark(),
    ]
    return [(seq, fact) for fact in facts]


def one_of_each(seq: int) -> list[tuple[int, AnyFact]]:
    """Every kind of fact at least once."""
    facts: list[AnyFact] = [
        judged(),
        PhaseChanged(T0, "INITIALIZING", "RUNNING", "all set"),
        FundingPaid(T0, "BTCUSDT", parse("0.2"), parse("60000"), parse("0.0001"), parse("1.2")),
        ShadowFilled(
            T0, "optimistic", "o1:1", "o1", "BTCUSDT", parse("0.2"), parse("60000"), parse("6"), "MAKER", "book", 1
        ),
        AccountLiquidated(T0, "BTCUSDT", "liquidation-3", parse("-0.2"), parse("59"), parse("60"), "equity 59 of 60"),
        BlockChanged(T0, BlockReason.OPERATOR, True, "lunch", "resume", "ann"),
        BreakerChanged(T0, BreakerName.DAILY_LOSS, True, parse("51"), parse("50"), "51 >= 50", "halt_day"),
        KillChanged(T0, True, "cli", "ann", "test"),
        OperatorActed(T0, "pause", "tui", "ann", "lunch", True, "RUNNING", "PAUSED"),
        HeatNoted(T0, True, parse("0.0102"), parse("0.01")),
        Reconciled(T0, "start", "bitunix", False, 1, 2, 3, parse("10000.5")),
        Reconciled(T0, "day", "bitunix", True, 0, 0, 0, None),
        DiscrepancyChanged(T0, "d1", "position", "BTCUSDT", "0.2", "0.1", T0 - SECOND, "", "", "0.2 here, 0.1 there"),
        LossExceeded(T0, "t1", "s1", "trend", "BTCUSDT", ExitReason.SL, parse("31.5"), parse("25")),
        DayRolled(T0, 20_000, parse("10000"), parse("-3.5"), 40, 2),
        AmendRequested(T0, "o1", "s1", "BTCUSDT", parse("0.1"), 0, parse("59000"), "the position has changed"),
        OrderStuck(T0, "o1", "BTCUSDT", Purpose.STOP, OrderState.PENDING_CANCEL, T0 - 60 * SECOND),
        FeedNoted(T0, "BTCUSDT", "STALE", "no data for 15 s", 3),
        ErrorCounted(T0, "feed", "reset by peer", "ab12"),
        regime_changed(),
        StrategyDecided(T0, "trend", "BTCUSDT", Decision.HOLD, "stop 59000, target 62000, unrealized 3.10"),
        StrategySwitched(T0, "trend", False, Regime.CRISIS),
        ExposureSpiked(T0, Regime.CRISIS, T0 - SECOND, parse("400"), parse("500"), parse("0.25"), parse("0.2")),
        MarketPhaseChanged(T0, "BTCUSDT", "UNKNOWN", "SIDEWAYS"),
        filled("f9", "-0.3", "60500.5", "-0.3", order_id="o9"),
    ]
    return [*round_trip(seq), *((seq, fact) for fact in facts)]
