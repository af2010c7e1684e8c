"""NautilusTrader's part: `BacktestEngine`, quotes of one venue, minute mid bars and averages of its own."""

import time
from decimal import Decimal
from typing import Any

import numpy as np
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType, QuoteTick
from nautilus_trader.model.enums import AccountType, CurrencyType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Currency, Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from benchmarks.peers.columns import read
from benchmarks.peers.job import EQUITY, FAST, FEE, LATENCY_NS, QTY, SLOW, SYMBOLS, TICK, Outcome, Task, tell, timed

VENUE = Venue("PEERS")


class Crossing(Strategy):  # type: ignore[misc]  # its base is untyped
    """The job on every instrument; `above` is which average was on top after the last bar."""

    def __init__(self, instruments: list[Any]) -> None:
        super().__init__()
        self.bar_types = {each.id: BarType.from_str(f"{each.id}-1-MINUTE-MID-INTERNAL") for each in instruments}
        self.fast = {each.id: SimpleMovingAverage(FAST) for each in instruments}
        self.slow = {each.id: SimpleMovingAverage(SLOW) for each in instruments}
        self.above: dict[Any, bool] = {}
        self.qty = Quantity.from_str(QTY)

    def on_start(self) -> None:
        for instrument, bar_type in self.bar_types.items():
            self.register_indicator_for_bars(bar_type, self.fast[instrument])
            self.register_indicator_for_bars(bar_type, self.slow[instrument])
            self.subscribe_quote_ticks(instrument)
            self.subscribe_bars(bar_type)

    def on_bar(self, bar: Any) -> None:
        instrument = bar.bar_type.instrument_id
        if not self.slow[instrument].initialized:
            return
        above = self.fast[instrument].value > self.slow[instrument].value
        was = self.above.get(instrument)
        self.above[instrument] = above
        if was is None or was == above:
            return
        if above:
            self.submit_order(self.order_factory.market(instrument, OrderSide.BUY, self.qty))
        else:
            self.close_all_positions(instrument)


def perpetual(n: int) -> Any:
    """The n-th symbol as a linear perpetual with the job's tick, lot and fees."""
    base = Currency(f"SYM{n}", 8, 0, f"SYM{n}", CurrencyType.CRYPTO)
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol(f"SYM{n}USDT"), VENUE),
        raw_symbol=Symbol(f"SYM{n}USDT"),
        base_currency=base,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=3,
        size_precision=3,
        price_increment=Price.from_str(TICK),
        size_increment=Quantity.from_str(QTY),
        lot_size=Quantity.from_str(QTY),
        margin_init=Decimal("0.05"),
        margin_maint=Decimal("0.025"),
        maker_fee=Decimal(FEE) / 2,
        taker_fee=Decimal(FEE),
        ts_event=0,
        ts_init=0,
    )


def run(task: Task) -> Outcome:
    """All ticks are added before the run, as its examples do; its analysis after the run is switched off."""
    begun = time.perf_counter()
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False))
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money(EQUITY, USDT)],
        base_currency=USDT,
        latency_model=LatencyModel(base_latency_nanos=LATENCY_NS),
    )
    instruments = [perpetual(n) for n in range(SYMBOLS)]
    for n, (instrument, ticks) in enumerate(zip(instruments, read(task), strict=True)):
        engine.add_instrument(instrument)
        numbers = [np.ascontiguousarray(ticks[name]) / 1e8 for name in ("bid", "ask", "bid_qty", "ask_qty")]
        times = [np.ascontiguousarray(ticks[name]).astype(np.uint64) for name in ("venue_ns", "at_ns")]
        quotes = QuoteTick.from_raw_arrays_to_list(instrument.id, 3, 3, *numbers, *times)
        engine.add_data(quotes, sort=n == SYMBOLS - 1)
    engine.add_strategy(Crossing(instruments))
    times_taken = timed(engine.run, begun)
    closed = engine.cache.positions_closed() + engine.cache.position_snapshots()
    trades = [sum(p.instrument_id == i.id and p.is_closed for p in closed) for i in instruments]
    return Outcome(*times_taken, trades, {"orders": engine.cache.orders_total_count()})


if __name__ == "__main__":
    tell(run)
