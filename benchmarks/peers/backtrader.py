"""backtrader's part: ten tick feeds for its broker, each resampled to minutes by its own resampler, its own SMA."""

import time
from typing import Any

import backtrader as bt
import numpy as np

from benchmarks.peers.columns import read
from benchmarks.peers.job import EQUITY, FAST, FEE, QTY, SLOW, SYMBOLS, Outcome, Task, tell, timed

DAY_NS = 86_400 * 10**9
EPOCH_DAY = 719_163  # backtrader counts days from the year 1
SHIFT_NS = 500_000_000  # a tick on the edge of a minute would belong to the bar before it


class Mids(bt.feed.DataBase):  # type: ignore[misc]  # its base is untyped
    """The mids of one symbol as ticks; there is no bid and ask in its data model."""

    params = (("times", None), ("mids", None))

    def start(self) -> None:
        super().start()
        self.rows = zip(self.p.times, self.p.mids, strict=True)

    def _load(self) -> bool:
        row = next(self.rows, None)
        if row is None:
            return False
        lines = self.lines
        lines.datetime[0], price = row
        lines.open[0] = lines.high[0] = lines.low[0] = lines.close[0] = price
        lines.volume[0] = lines.openinterest[0] = 0.0
        return True


class Crossing(bt.Strategy):  # type: ignore[misc]  # its base is untyped
    """The job: the first ten datas are ticks, the next ten their minutes."""

    def __init__(self) -> None:
        self.minutes = self.datas[SYMBOLS:]
        self.fast = [bt.indicators.SimpleMovingAverage(bars, period=FAST) for bars in self.minutes]
        self.slow = [bt.indicators.SimpleMovingAverage(bars, period=SLOW) for bars in self.minutes]
        self.seen = [0] * SYMBOLS
        self.above: list[bool | None] = [None] * SYMBOLS
        self.trades = [0] * SYMBOLS

    def next(self) -> None:
        for n, bars in enumerate(self.minutes):
            if len(bars) == self.seen[n]:
                continue
            self.seen[n] = len(bars)
            above = self.fast[n][0] > self.slow[n][0]
            was, self.above[n] = self.above[n], above
            if was is None or was == above:
                continue
            if above:
                self.buy(data=self.datas[n], size=float(QTY))
            else:
                self.close(data=self.datas[n])

    def notify_trade(self, trade: Any) -> None:
        if trade.isclosed:
            self.trades[self.datas.index(trade.data)] += 1


def run(task: Task) -> Outcome:
    begun = time.perf_counter()
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.broker.setcash(EQUITY)
    cerebro.broker.setcommission(commission=float(FEE))
    feeds = []
    for ticks in read(task):
        times = (ticks["venue_ns"] + SHIFT_NS) / DAY_NS + EPOCH_DAY
        mids = (ticks["bid"] + ticks["ask"]) / 2e8
        feeds.append(Mids(times=times.tolist(), mids=mids.astype(np.float64).tolist(), timeframe=bt.TimeFrame.Ticks))
    for feed in feeds:
        cerebro.adddata(feed)
    for feed in feeds:
        cerebro.resampledata(feed, timeframe=bt.TimeFrame.Minutes, compression=1)
    cerebro.addstrategy(Crossing)
    times_taken = timed(cerebro.run, begun)
    (strategy,) = cerebro.runstrats[0]
    return Outcome(*times_taken, strategy.trades, {})


if __name__ == "__main__":
    tell(run)
