"""What judging one entry costs (`-m benchmarks.layers`): ten positions, twenty working orders, 10,000 signals.

Ten symbols are held, each with a resting target, ten are being entered, ten are free. Every signal is one in a free
symbol, after its price has moved; it goes through the whole of its way up to the verdict and is then forgotten, so
that the next one meets the same desk. Processor time: in microseconds a shared machine tells of its other work.
"""

import gc
import sys
import time
from typing import Final

from benchmarks.figures import Figure, percentile
from engine.core import money
from engine.core.config import HOUR, MINUTE, SECOND, CoreConfig, Instrument, Limits, Sizing
from engine.core.draw import below, between
from engine.core.engine import Engine
from engine.core.events import Bar, PhaseEntered, Quote, RunStarted, SessionPhase
from engine.core.risk import RULES, judge
from engine.core.strategy import Proposal
from engine.core.words import Side

START_NS: Final = 1_767_225_600 * SECOND
SYMBOLS: Final = tuple(f"SYM{n:02d}USDT" for n in range(30))
HELD, ENTERING, FREE = SYMBOLS[:10], SYMBOLS[10:20], SYMBOLS[20:]
SIGNALS: Final = 10_000
PRICE: Final = 100 * money.SCALE
CENT: Final = money.SCALE // 100
LIMITS: Final = Limits(
    positions_max=100,
    heat_max=money.SCALE,
    daily_loss_max=10**15,
    loss_per_trade_max=10**12,
    correlation_max=money.SCALE,
    orders_per_minute_max=1_000,
    messages_per_minute_max=10_000,
)
"""Wide enough for so many positions; every rule still measures what it always does."""


class Bench:
    """The desk in its state, and the clock of its market."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.engine = Engine(lambda _: ())
        instruments = tuple(Instrument(s, tick=CENT, lot=100_000, min_qty=100_000, max_qty=10**14) for s in SYMBOLS)
        sizing = Sizing(2 * money.SCALE, 400 * money.SCALE)
        config = CoreConfig(
            "paper", 1, True, 10**6 * money.SCALE, instruments, (), limits=LIMITS, sizing=sizing, entry_timeout_ns=HOUR
        )
        self.engine.handle(RunStarted(self.now_ns, "bench", config))
        for k in range(130, 0, -1):
            for n, symbol in enumerate(SYMBOLS):
                close = PRICE + between(-50, 50, 1, "bar", n, k) * CENT
                start_ns = self.now_ns - k * MINUTE
                self.engine.handle(Bar(symbol, self.now_ns, start_ns, MINUTE, PRICE, close, PRICE, close, 0, True))
        self.engine.handle(PhaseEntered(self.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
        for symbol in SYMBOLS:
            self.quote(symbol, PRICE)
        for symbol in HELD:
            self.engine.trading.entries.propose("bench", self.wish(symbol, Side.LONG, 0, 500))
        self.quote_all()
        for symbol in ENTERING:
            self.engine.trading.entries.propose("bench", self.wish(symbol, Side.LONG, PRICE - 300 * CENT, 500))
        self.quote_all()
        state = self.engine.state
        assert (len(state.positions), len(state.orders)) == (10, 20)

    def quote(self, symbol: str, bid: int) -> None:
        self.now_ns += 1_000_000
        size = 100 * money.SCALE
        self.engine.handle(Quote(symbol, self.now_ns, self.now_ns, bid, bid + CENT, size, size))

    def quote_all(self) -> None:
        self.now_ns += SECOND
        for symbol in SYMBOLS:
            self.quote(symbol, PRICE)

    def wish(self, symbol: str, side: Side, entry: int, away: int) -> Proposal:
        price = entry or PRICE
        return Proposal(symbol, side, entry, price - side.sign * away * CENT, price + side.sign * 2 * away * CENT, "")

    def judged(self, number: int) -> tuple[float, float]:
        """Microseconds of one signal: the whole way to its verdict, and of that the rules alone."""
        symbol, side = FREE[number % 10], Side.SHORT if below(2, 1, "side", number) else Side.LONG
        self.quote(symbol, PRICE + between(-30, 30, 1, "price", number) * CENT)
        self.quote(HELD[number % 10], PRICE + between(-30, 30, 1, "held", number) * CENT)
        wish = self.wish(symbol, side, 0, between(60, 400, 1, "stop", number))
        make = self.engine.trading.entries._candidates.make
        begun = time.thread_time_ns()
        candidate = make("bench", wish)
        made = time.thread_time_ns()
        seen, no = judge(candidate)
        ended = time.thread_time_ns()
        assert no is None, no
        assert len(seen) == len(RULES)
        return (ended - begun) / 1000, (ended - made) / 1000


def run() -> list[Figure]:
    bench = Bench()
    for number in range(1_000):
        bench.judged(number)
    gc.collect()
    gc.freeze()
    whole, rules = zip(*(bench.judged(number) for number in range(SIGNALS)), strict=True)
    return [
        Figure("safety layers, all rules, p50", percentile(list(rules), 50), "us", "at most", 10),
        Figure("safety layers, all rules, p99", percentile(list(rules), 99), "us", "at most", 40),
        Figure("the same with what they look at, p50", percentile(list(whole), 50), "us"),
        Figure("the same with what they look at, p99", percentile(list(whole), 99), "us"),
    ]


def main() -> int:
    figures = run()
    for figure in figures:
        print(figure.line())
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
