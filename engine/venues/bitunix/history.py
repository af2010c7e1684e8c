"""Closed candles and contracts over REST: pages put together, sorted, checked, the still open candle left out."""

from collections.abc import Callable, Sequence
from typing import Final

from pydantic import ValidationError

from engine.core.clean import clean
from engine.core.config import ASSUMED, DAY, HOUR, MINUTE, SECOND, Instrument
from engine.core.events import Bar, DataRejected
from engine.core.money import SCALE, mul
from engine.venues.bitunix.rest import Clock, Rest
from engine.venues.bitunix.wire import EARLIEST_NS, KLINE_ROW, KLINES, MS, PAIRS, KlineRow, PairRow, first_problem, read
from engine.venues.errors import RuleRefused, VenueClosed, VenueError

PAGE_MAX: Final = 200
INTERVALS: Final = {
    MINUTE: "1m",
    5 * MINUTE: "5m",
    15 * MINUTE: "15m",
    30 * MINUTE: "30m",
    HOUR: "1h",
    2 * HOUR: "2h",
    4 * HOUR: "4h",
    6 * HOUR: "6h",
    8 * HOUR: "8h",
    12 * HOUR: "12h",
    DAY: "1d",
    3 * DAY: "3d",
}
MAKER_FEE_ASSUMED: Final = 50_000  # 0.05 % of notional: above the first tier of the venue built
TAKER_FEE_ASSUMED: Final = 100_000  # 0.10 %
CLOSED_FOR_NS: Final = SECOND  # a candle no newer one follows counts as closed only this long after its end


class History:
    """Reads candles; rows it cannot use go to `on_rejected` and are left out."""

    def __init__(
        self, rest: Rest, clock: Clock, *, replay: bool, on_rejected: Callable[[DataRejected], None] = lambda _: None
    ) -> None:
        self._rest = rest
        self._clock = clock
        self._earliest_ns = 0 if replay else EARLIEST_NS
        self._on_rejected = on_rejected

    async def newest(self, symbol: str, span_ns: int, count: int) -> list[Bar]:
        """The newest `count` closed bars, oldest first, each start once, `backfilled` set. Fewer where none are left.

        Raises:
            RuleRefused: the venue has no candles of this span.
            VenueError: the call failed; it is not repeated here.
        """
        interval = INTERVALS.get(span_ns)
        if interval is None:
            raise RuleRefused(f"no candles of {span_ns // SECOND} s at this venue")
        bars: dict[int, Bar] = {}
        before_ms = 0
        while len(bars) < count:
            params = {"symbol": symbol, "interval": interval, "limit": str(min(PAGE_MAX, count - len(bars) + 1))}
            if before_ms:
                params["endTime"] = str(before_ms)
            page = self._page(await self._rest.get("/market/kline", params), symbol, span_ns)
            fresh = {start: bar for start, bar in page.items() if start not in bars}
            if not fresh:
                break
            bars |= fresh if before_ms else self._without_open(fresh, span_ns)
            before_ms = min(fresh) // MS - 1
        return [bars[start] for start in sorted(bars)][-count:]

    def _page(self, data: object, symbol: str, span_ns: int) -> dict[int, Bar]:
        bars: dict[int, Bar] = {}
        for row in read(KLINES, data, "candles"):
            at_ns = self._clock.now_ns()
            try:
                bar = self._bar(KLINE_ROW.validate_python(row), symbol, span_ns, at_ns)
            except ValidationError as problem:
                self._on_rejected(DataRejected(symbol, at_ns, first_problem(problem), "REST kline"))
            except ValueError as problem:
                self._on_rejected(DataRejected(symbol, at_ns, clean(str(problem)), "REST kline"))
            else:
                bars[bar.start_ns] = bar
        return bars

    def _bar(self, row: KlineRow, symbol: str, span_ns: int, at_ns: int) -> Bar:
        start = row.time * MS
        if start < self._earliest_ns or start > at_ns + span_ns:
            raise ValueError(f"candle time {row.time} ms is out of range")
        if start % min(span_ns, DAY):
            raise ValueError(f"candle time {row.time} ms is no start of a candle")
        if not 0 < row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high:
            raise ValueError("candle prices not above zero, or open or close outside the range")
        volume = coin_volume(row)
        return Bar(symbol, at_ns, start, span_ns, row.open, row.high, row.low, row.close, volume, backfilled=True)

    def _without_open(self, bars: dict[int, Bar], span_ns: int) -> dict[int, Bar]:
        newest = max(bars)
        now_ns = self._clock.now_ns()
        return {
            start: bar
            for start, bar in bars.items()
            if start + span_ns + (CLOSED_FOR_NS if start == newest else 0) <= now_ns
        }


def coin_volume(row: KlineRow) -> int:
    """The volume in coins: of the two figures, the one whose product with the price is the other.

    The names cannot be trusted: the wire carries coins in `quoteVol` and turnover in `baseVol`, the documentation says
    the reverse. Where neither fits (no trades, price near one), the wire's habit decides.
    """
    coins, turnover = row.quote_vol, row.base_vol
    if coins < 0 or turnover < 0:
        raise ValueError("negative volume")
    as_wire = abs(mul(coins, row.close) - turnover)
    as_documented = abs(mul(turnover, row.close) - coins)
    # Relative misfits compared crosswise, in integers.
    if as_documented * max(turnover, 1) < as_wire * max(coins, 1):
        return turnover
    return coins


async def read_listing(rest: Rest, symbols: Sequence[str], attempts: int) -> dict[str, Instrument | VenueError]:
    """The contracts of `symbols`. The fees of one that carries none are assumed, and marked so.

    One the venue does not know is `RuleRefused`, one it does not let us trade `VenueClosed`. Raises `VenueError`.
    """
    try:
        data = await rest.get("/market/trading_pairs", {"symbols": ",".join(symbols)}, attempts=attempts)
    except (RuleRefused, VenueClosed) as refused:
        if len(symbols) == 1:
            return {symbols[0]: refused}
        found: dict[str, Instrument | VenueError] = {}  # one symbol it does not know is enough for a refusal of all
        for symbol in symbols:
            found |= await read_listing(rest, [symbol], attempts)
        return found
    pairs = {pair.symbol: pair for pair in read(PAIRS, data, "contracts")}
    return {symbol: _listed(symbol, pairs.get(symbol)) for symbol in symbols}


def _listed(symbol: str, pair: PairRow | None) -> Instrument | VenueError:
    if pair is None:
        return RuleRefused(f"unknown symbol {symbol!r}")
    if pair.status != "OPEN" or not pair.is_api_supported:
        why = f"{symbol} is not traded: {clean(pair.status, 40)}{'' if pair.is_api_supported else ', not by API'}"
        return VenueClosed(why)
    return _instrument(pair)


def _instrument(pair: PairRow) -> Instrument:
    """The contract; its fees are the venue's where the pair carries both."""
    maker_fee, taker_fee, fee_source = MAKER_FEE_ASSUMED, TAKER_FEE_ASSUMED, ASSUMED
    if pair.maker_fee is not None and pair.taker_fee is not None:
        maker_fee, taker_fee, fee_source = pair.maker_fee, pair.taker_fee, "venue"
    return Instrument(
        symbol=pair.symbol,
        tick=SCALE // 10**pair.price_places,
        lot=SCALE // 10**pair.qty_places,
        min_qty=pair.min_qty,
        max_qty=min(pair.max_limit_qty, pair.max_market_qty),
        maker_fee=maker_fee,
        taker_fee=taker_fee,
        fee_source=fee_source,
        calendar=pair.calendar,
    )
