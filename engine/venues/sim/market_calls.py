"""The REST calls about the market: contracts, tickers, candles, book, funding. Nobody has to sign these."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from engine.core import money
from engine.core.calendar import CONTINUOUS
from engine.core.config import DAY, HOUR, Instrument
from engine.core.events import Bar
from engine.venues.sim import wire
from engine.venues.sim.accounts import LEVERAGE_DEFAULT, LEVERAGE_MAX, PRICE_PROTECT
from engine.venues.sim.rest import Call, Route
from engine.venues.sim.tape import Candle, History, Tape
from engine.venues.sim.wire import MS, Json, Refusal

KLINES_DEFAULT: Final = 100
KLINES_MAX: Final = 200
PAST_NS_MAX: Final = 10 * DAY
BITE_NS: Final = 4 * HOUR
DEPTH_LIMITS: Final = {"1": 1, "5": 5, "15": 15, "50": 50, "max": 10_000}
QUOTES: Final = ("USDT", "USDC", "USD")
Record = dict[str, object]


class MarketCalls:
    """Reads the tapes and the market's history; changes nothing."""

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        tapes: Mapping[str, Tape],
        history: History,
        now_ns: Callable[[], int],
    ) -> None:
        self._instruments = instruments
        self._tapes = tapes
        self._history = history
        self._now_ns = now_ns

    def routes(self) -> dict[str, Route]:
        return {
            "/market/trading_pairs": Route("GET", self.trading_pairs),
            "/market/tickers": Route("GET", self.tickers),
            "/market/kline": Route("GET", self.kline),
            "/market/depth": Route("GET", self.depth),
            "/market/funding_rate": Route("GET", self.funding_rate),
            "/market/funding_rate/batch": Route("GET", self.funding_rates),
        }

    def trading_pairs(self, call: Call) -> Json:
        return [_pair(self._instruments[symbol]) for symbol in self._asked(call)]

    def tickers(self, call: Call) -> Json:
        rows = (self._ticker(self._tapes[symbol]) for symbol in self._asked(call))
        return [row for row in rows if row]

    async def kline(self, call: Call) -> Json:
        """Newest first; the first may be the open one. `startTime` and `endTime` bound the candles' starts, in ms.

        A generated past has to be computed, so long spans come in bites, and no further back than ten days.
        """
        symbol = self._symbol(call)
        span_ns = wire.REST_SPANS.get(call.query.get("interval", ""))
        if span_ns is None:
            raise Refusal(10008, f"{call.query.get('interval', '')[:20]} does not comply with the rule")
        limit = min(call.number("limit", KLINES_DEFAULT), KLINES_MAX)
        now_ns = self._now_ns()
        start_ns, end_ns = call.number("startTime", 0) * MS, call.number("endTime", now_ns // MS) * MS
        candles = await self._closed(symbol, span_ns, min(end_ns + 1, now_ns), limit)
        open_one = self._tapes[symbol].open_candle(span_ns, now_ns)
        if open_one is not None and start_ns <= open_one.start_ns <= end_ns and _follows(candles, open_one):
            candles.append(open_one)
        wanted = [candle for candle in candles if start_ns <= candle.start_ns <= end_ns]
        return [_candle(candle) for candle in reversed(wanted[-limit:])]

    def depth(self, call: Call) -> Json:
        symbol = self._symbol(call)
        limit = call.query.get("limit", "max")
        if limit not in DEPTH_LIMITS:
            choices = ",".join(f'"{name}"' for name in DEPTH_LIMITS)
            raise Refusal(10008, f"Parameter {limit[:20]} does not match, alternative value [{choices}].")
        bids, asks = self._tapes[symbol].window(DEPTH_LIMITS[limit])
        return {
            "bids": [[money.text(price), money.text(qty)] for price, qty in bids],
            "asks": [[money.text(price), money.text(qty)] for price, qty in asks],
        }

    def funding_rate(self, call: Call) -> Json:
        return self._funding(self._tapes[self._symbol(call)])

    def funding_rates(self, call: Call) -> Json:
        return [self._funding(tape) for tape in self._tapes.values()]

    async def _closed(self, symbol: str, span_ns: int, end_ns: int, limit: int) -> list[Candle]:
        """At most `limit` closed candles that begin before `end_ns`, oldest first."""
        last_end_ns = min(money.ceil_to(end_ns, span_ns), money.floor_to(self._now_ns(), span_ns))
        left = max(1, min(limit, PAST_NS_MAX // span_ns))
        bite = max(1, BITE_NS // span_ns)
        bites: list[Sequence[Bar]] = []
        while left > 0:
            bars = self._history(symbol, span_ns, last_end_ns, min(bite, left))
            if not bars:
                break  # the market's first day
            bites.append(bars)
            last_end_ns = bars[0].start_ns
            left -= len(bars)
            await asyncio.sleep(0)  # let the market go on
        return [Candle.of(bar) for part in reversed(bites) for bar in part]

    def _asked(self, call: Call) -> list[str]:
        """The symbols of `symbols=A,B`, or all. Raises `Refusal` 20015 for one that is not traded."""
        named = call.query.get("symbols", "")
        symbols = [symbol.strip().upper() for symbol in named.split(",")] if named else list(self._instruments)
        if any(symbol not in self._instruments for symbol in symbols):
            raise Refusal(20015)
        return symbols

    def _symbol(self, call: Call) -> str:
        symbol = call.query.get("symbol", "").upper()
        if not symbol:
            raise Refusal(1)
        if symbol not in self._instruments:
            raise Refusal(20015)
        return symbol

    def _ticker(self, tape: Tape) -> Record | None:
        day = tape.day(self._now_ns())
        if day is None:
            return None
        text = money.text
        return {
            "symbol": tape.symbol,
            "markPrice": text(tape.last),
            "lastPrice": text(tape.last),
            "open": text(day.open),
            "last": text(tape.last),
            "quoteVol": text(day.volume),
            "baseVol": text(day.turnover),
            "high": text(day.high),
            "low": text(day.low),
        }

    def _funding(self, tape: Tape) -> Record:
        """The coming settlement; the rate in percent, times in ms as text."""
        funding = tape.funding
        return {
            "symbol": tape.symbol,
            "markPrice": money.text(tape.last),
            "indexPrice": money.text(tape.last),
            "lastPrice": money.text(tape.last),
            "fundingRate": money.text(funding.rate * 100 if funding else 0),
            "fundingInterval": tape.funding_span_ns // HOUR,
            "nextFundingTime": str((funding.due_ns if funding else 0) // MS),
        }


def _follows(candles: list[Candle], open_one: Candle) -> bool:
    return not candles or candles[-1].start_ns < open_one.start_ns


def _candle(candle: Candle) -> Record:
    """A REST candle, its two volumes under each other's name, as on the wire."""
    text = money.text
    return {
        "open": text(candle.open),
        "high": text(candle.high),
        "low": text(candle.low),
        "close": text(candle.close),
        "quoteVol": text(candle.volume),
        "baseVol": text(candle.turnover),
        "time": str(candle.start_ns // MS),
    }


def _pair(instrument: Instrument) -> Record:
    quote = next((quote for quote in QUOTES if instrument.symbol.endswith(quote)), "USDT")
    return {
        "symbol": instrument.symbol,
        "base": instrument.symbol.removesuffix(quote),
        "quote": quote,
        "minTradeVolume": money.text(instrument.min_qty),
        "minBuyPriceOffset": "-0.95",
        "maxSellPriceOffset": "100",
        "maxLimitOrderVolume": money.text(instrument.max_qty),
        "maxMarketOrderVolume": money.text(instrument.max_qty),
        "basePrecision": _places(instrument.lot),
        "quotePrecision": _places(instrument.tick),
        "minLeverage": 1,
        "maxLeverage": LEVERAGE_MAX,
        "defaultLeverage": LEVERAGE_DEFAULT,
        "defaultMarginMode": 1,
        "priceProtectScope": money.text(PRICE_PROTECT),
        "symbolStatus": "OPEN",
        "isApiSupported": True,
        "maxFundingRate": "0.3",
        "minFundingRate": "-0.3",
        **({} if instrument.calendar == CONTINUOUS else {"calendar": instrument.calendar}),  # not the venue's own
    }


def _places(step: int) -> int:
    """Decimal places of a price or size step: the wire can only say powers of ten."""
    return len(money.text(step).partition(".")[2])
