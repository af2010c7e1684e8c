"""Bars shorter than a minute: the core builds them from ticks, and the feed's own bars are not mixed in."""

from collections.abc import Sequence

from engine.core.config import MINUTE, SECOND, PhaseModel
from engine.core.engine import Engine
from engine.core.events import Bar, PhaseEntered, Quote, RunStarted, SessionPhase, Trade
from engine.core.phases import MarketPhase
from engine.core.strategy import ExitWish, Market, Proposal
from tests.rig import START_NS, SYMBOL, Rig, Scripted, d


class Listening(Scripted):
    """Keeps every bar it is given."""

    def __init__(self, span_ns: int) -> None:
        super().__init__()
        self.span_ns = span_ns
        self.bars: list[Bar] = []

    def on_bar(self, bar: Bar, market: Market) -> Sequence[Proposal | ExitWish]:
        self.bars.append(bar)
        return ()


def rig(bar_ns: int, span_ns: int) -> tuple[Rig, Listening]:
    """A desk on bars of `bar_ns` with one strategy that wants `span_ns`."""
    made = Rig(running=False, bar_ns=bar_ns)
    strategy = Listening(span_ns)
    made.strategy = strategy
    made.engine = Engine(lambda _: (strategy,))
    begin(made)
    return made, strategy


def begin(made: Rig) -> None:
    made.send(RunStarted(made.now_ns, "run1", made.config))
    made.send(PhaseEntered(made.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))


def quote_at(made: Rig, at_ns: int, mid: str) -> None:
    made.now_ns = at_ns
    made.send(Quote(SYMBOL, at_ns, at_ns, d(mid) - d("0.1"), d(mid) + d("0.1"), d(1), d(1)))


def test_a_bar_of_a_second_holds_the_mids_of_its_second_and_closes_with_the_next() -> None:
    made, strategy = rig(SECOND, SECOND)
    for at_ns, mid in ((0, "100"), (SECOND // 2, "101"), (SECOND - 1, "99.5"), (SECOND, "100.5"), (4 * SECOND, "100")):
        quote_at(made, START_NS + at_ns, mid)
    first, second = strategy.bars
    assert (first.start_ns, first.span_ns) == (START_NS, SECOND)
    assert (first.open, first.high, first.low, first.close) == (d(100), d(101), d("99.5"), d("99.5"))
    assert (second.start_ns, second.close) == (START_NS + SECOND, d("100.5"))  # silent seconds make no bar


def test_longer_bars_are_made_of_the_shorter_ones() -> None:
    made, strategy = rig(SECOND, 5 * SECOND)
    for second in range(11):
        quote_at(made, START_NS + second * SECOND, str(100 + second))
    assert [(b.start_ns - START_NS, b.open, b.close) for b in strategy.bars] == [
        (0, d(100), d(104)),
        (5 * SECOND, d(105), d(109)),
    ]


def test_without_quotes_trades_make_the_bars() -> None:
    made, strategy = rig(SECOND, SECOND)
    for second, price in enumerate(("100", "102", "101")):
        at_ns = START_NS + second * SECOND
        made.send(Trade(SYMBOL, at_ns, at_ns, d(price), d(1)))
    assert [bar.close for bar in strategy.bars] == [d(100), d(102)]


def test_the_feeds_minutes_are_not_mixed_in() -> None:
    made, strategy = rig(SECOND, SECOND)
    made.send(Bar(SYMBOL, START_NS, START_NS - MINUTE, MINUTE, d(5), d(9), d(4), d(6), d(1)))
    assert strategy.bars == []
    assert made.engine.state.symbols[SYMBOL].window.closes == []


def test_the_phase_is_known_after_a_window_of_short_bars() -> None:
    made, _ = rig(SECOND, SECOND)
    for second in range(PhaseModel().window + 1):
        phase = made.engine.state.symbols[SYMBOL].phase
        assert phase is MarketPhase.UNKNOWN
        quote_at(made, START_NS + second * SECOND, "100")
    assert made.engine.state.symbols[SYMBOL].phase is MarketPhase.SIDEWAYS


def test_an_open_bar_survives_a_restart() -> None:
    made, strategy = rig(SECOND, SECOND)
    quote_at(made, START_NS, "100")
    quote_at(made, START_NS + 1, "103")
    made.engine = Engine(lambda _: (strategy,), made.engine.snapshot())
    quote_at(made, START_NS + SECOND, "101")
    assert [(bar.open, bar.high, bar.close) for bar in strategy.bars] == [(d(100), d(103), d(103))]
