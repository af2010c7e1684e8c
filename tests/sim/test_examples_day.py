"""The example strategies on the generated market: ten seeds, a day each, the whole core at full speed."""

from collections import Counter

import msgspec
import pytest

from engine.core.config import DAY, HOUR, MINUTE, SECOND, CoreConfig
from engine.core.engine import Engine
from engine.core.events import AnyEvent, PhaseEntered, RunStarted, SessionPhase
from engine.core.facts import BreakerChanged, FillBooked, SignalEnded, TradeClosed
from engine.core.money import SCALE
from engine.core.words import BreakerName, ReasonCode, TerminalState
from engine.strategies import describe, make_all, spec
from engine.venues.sim.generated import GeneratedMarket
from tests import books

T0 = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z
EQUITY = 10_000 * SCALE
QUOTE_INTERVAL_NS = 2 * SECOND  # a quarter of the market's own tempo: the day stays a day, the test stays short


class Lived(msgspec.Struct):
    """What came of one run."""

    engine: Engine
    signals: list[SignalEnded] = []
    fills: list[FillBooked] = []
    trades: list[TradeClosed] = []
    tripped: list[BreakerName] = []

    def take(self, event: AnyEvent) -> None:
        for fact in self.engine.handle(event):
            if isinstance(fact, SignalEnded):
                self.signals.append(fact)
            elif isinstance(fact, FillBooked):
                self.fills.append(fact)
            elif isinstance(fact, TradeClosed):
                self.trades.append(fact)
            elif isinstance(fact, BreakerChanged) and fact.tripped:
                self.tripped.append(fact.name)


def live(seed: int, span_ns: int) -> Lived:
    """Run both examples with their defaults on the market of `seed` for `span_ns`."""
    market = GeneratedMarket(seed, T0, quote_interval_ns=QUOTE_INTERVAL_NS, depth=5)
    symbols = tuple(instrument.symbol for instrument in market.instruments)
    strategies = tuple(spec(info.kind, info.kind, {}, symbols) for info in describe())
    config = CoreConfig("paper", seed, True, EQUITY, market.instruments, strategies, resting_stops=True)
    lived = Lived(Engine(make_all))
    lived.take(RunStarted(T0, "day", config))
    lived.take(PhaseEntered(T0, SessionPhase.INITIALIZING, SessionPhase.SEEDING_HISTORY))
    needed = max(strategy.history * strategy.span_ns // MINUTE for strategy in lived.engine.strategies)
    for symbol in symbols:
        for bar in market.history(symbol, MINUTE, T0, needed):
            lived.take(bar)
    lived.take(PhaseEntered(T0, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    for chunk in market.events(T0):
        if chunk[0].at_ns >= T0 + span_ns:
            return lived
        for event in chunk:
            lived.take(event)
    raise AssertionError("the generated market ended")


def assert_sound(lived: Lived) -> None:
    """The books agree, the desk's costs with the broker's too, and no signal is without its verdict."""
    engine = lived.engine
    assert engine.paper is not None
    ledger = engine.paper.state.ledger
    books.assert_sound(engine, ledger)
    ended = Counter(signal.signal_id for signal in lived.signals)
    assert set(ended.values()) <= {1}, "one verdict a signal"
    assert ledger.fees == engine.state.tally.fees
    assert ledger.funding == engine.state.tally.funding


@pytest.mark.sim
@pytest.mark.timeout(1_800)
def test_at_least_eight_of_ten_seeds_trade_a_whole_day_within_the_daily_loss() -> None:
    survived, traded = 0, 0
    for seed in range(1, 11):
        lived = live(seed, DAY)
        pnl = lived.engine.desk.equity - EQUITY
        codes = Counter(signal.reason_code.value for signal in lived.signals)
        print(
            f"seed {seed}: net {pnl / SCALE:.2f}, {len(lived.trades)} trades, tripped {[*lived.tripped]}, {dict(codes)}"
        )
        assert_sound(lived)
        assert codes[ReasonCode.INTERNAL_ERROR] == codes[ReasonCode.REWARD_RISK] == codes[ReasonCode.RATE_LIMIT] == 0
        survived += BreakerName.DAILY_LOSS not in lived.tripped
        traded += len(lived.trades) >= 20
    assert survived >= 8
    assert traded >= 8


@pytest.mark.sim
@pytest.mark.timeout(600)
def test_the_desk_trades_within_a_minute_and_soon_says_no_in_two_ways() -> None:
    varied = 0
    for seed in range(1, 11):
        lived = live(seed, 5 * MINUTE)
        assert lived.fills[0].at_ns - T0 <= MINUTE, f"seed {seed}"
        refused = {signal.state for signal in lived.signals} - {TerminalState.EXECUTED}
        varied += len(refused) >= 2
    assert varied >= 7


@pytest.mark.sim
@pytest.mark.timeout(300)
def test_no_strategy_asks_again_for_a_symbol_before_its_last_wish_is_settled() -> None:
    lived = live(7, 6 * HOUR)
    asked: dict[tuple[str, str], int] = {}
    for signal in sorted(lived.signals, key=lambda ended: ended.at_ns):
        key = (signal.strategy_id, signal.symbol)
        if signal.state is not TerminalState.EXECUTED and signal.reason_code is not ReasonCode.CANCELLED_UNFILLED:
            assert signal.at_ns - asked.get(key, 0) >= 40 * SECOND
            asked[key] = signal.at_ns
