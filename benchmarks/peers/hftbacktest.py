"""hftbacktest's part: ten assets in one backtest, a compiled strategy that looks at them once a second."""

import time
from typing import Any

import hftbacktest as hft
import numpy as np
from hftbacktest.binding import event_dtype
from numba import njit

from benchmarks.peers.columns import read
from benchmarks.peers.job import FAST, FEE, LATENCY_NS, QTY, SLOW, SYMBOLS, TICK, Outcome, Task, tell, timed

SECOND = 10**9
FROM_FIRST_TICK_NS = 900_000_000
"""Every look is this long after a second's ticks left the exchange: by then all have arrived."""


@njit  # type: ignore[untyped-decorator]
def cross(hbt: Any, qty: float) -> None:
    """The job. A look is at the touch of every asset, after a tick of each; a bar closes with a minute's last look."""
    assets = hbt.num_assets
    closes = np.zeros((assets, SLOW))
    high, low = np.zeros(assets), np.zeros(assets)
    above, known = np.zeros(assets, np.bool_), np.zeros(assets, np.bool_)
    bars, looks, order_id = 0, 0, 1
    waits = FROM_FIRST_TICK_NS
    while hbt.elapse(waits) == 0:
        waits, looks = SECOND, looks + 1
        slot = bars % SLOW
        for asset in range(assets):
            depth = hbt.depth(asset)
            mid = (depth.best_bid + depth.best_ask) / 2
            if looks % 60 == 1:
                high[asset] = low[asset] = mid
            high[asset], low[asset] = max(high[asset], mid), min(low[asset], mid)
            closes[asset, slot] = mid
        if looks % 60:
            continue
        bars += 1
        if bars < SLOW:
            continue
        for asset in range(assets):
            fast = 0.0
            for back in range(FAST):
                fast += closes[asset, (slot - back) % SLOW]
            now = fast / FAST > closes[asset].sum() / SLOW
            if known[asset] and now != above[asset]:
                if now:
                    hbt.submit_buy_order(asset, order_id, 0.0, qty, hft.GTC, hft.MARKET, False)
                elif hbt.position(asset) > 0:
                    hbt.submit_sell_order(asset, order_id, 0.0, hbt.position(asset), hft.GTC, hft.MARKET, False)
                order_id += 1
            known[asset], above[asset] = True, now
        hbt.clear_inactive_orders(hft.ALL_ASSETS)


def depth_events(ticks: Any) -> Any:
    """A symbol's quotes as depth updates: of each side that moved the new level, then the old one taken away.

    The side that moves away from the other goes first, so that the book never crosses and is never empty.
    """
    prices = np.stack([ticks["bid"], ticks["ask"]], axis=1) / 1e8
    sizes = np.stack([ticks["bid_qty"], ticks["ask_qty"]], axis=1) / 1e8
    sides = np.array([hft.BUY_EVENT, hft.SELL_EVENT], np.uint64)
    before = np.vstack([prices[:1], prices[:-1]])
    rises = prices[:, 0] > before[:, 0]
    order = np.where(rises[:, None], [1, 0], [0, 1])
    events = np.zeros((len(ticks), 2, 2), event_dtype)  # tick, side, new level or old
    which = np.arange(len(ticks))[:, None], order
    events["ev"] = (sides[order] | np.uint64(hft.DEPTH_EVENT | hft.EXCH_EVENT | hft.LOCAL_EVENT))[:, :, None]
    events["exch_ts"] = ticks["venue_ns"][:, None, None]
    events["local_ts"] = ticks["at_ns"][:, None, None]
    events["px"][:, :, 0], events["qty"][:, :, 0] = prices[which], sizes[which]
    events["px"][:, :, 1] = before[which]
    needed = np.ones(events.shape, np.bool_)
    needed[:, :, 1] = (before != prices)[which]
    return events[needed]


def backtest(feeds: list[Any]) -> Any:
    """A backtest over `feeds`, one asset each. It reads them where they lie: they must outlive it."""
    assets = [
        hft.BacktestAsset()
        .data(events)
        .linear_asset(1.0)
        .constant_order_latency(LATENCY_NS, LATENCY_NS)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(float(FEE) / 2, float(FEE))
        .tick_size(float(TICK))
        .lot_size(float(QTY))
        .roi_lb(0.0)
        .roi_ub(300.0)
        for events in feeds
    ]
    return hft.ROIVectorMarketDepthBacktest(assets)


def run(task: Task) -> Outcome:
    """Compiling happens on some two hours, before the run that counts."""
    begun = time.perf_counter()
    feeds = [depth_events(ticks) for ticks in read(task)]
    warm = backtest([events[:20_000] for events in feeds])
    cross(warm, float(QTY))
    warm.close()
    hbt = backtest(feeds)
    times_taken = timed(lambda: cross(hbt, float(QTY)), begun)
    fills = [int(hbt.state_values(n).num_trades) for n in range(SYMBOLS)]
    hbt.close()
    return Outcome(*times_taken, [each // 2 for each in fills], {"fills": sum(fills)})


if __name__ == "__main__":
    tell(run)
