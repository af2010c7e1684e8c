"""One generated symbol second by second: the mid price, the book around it, and the trades that print against it.

A leg (see `market_moves`) is computed whole, in about a tenth of a millisecond, and then told step by step. At each
step the symbol shows a new quote and book; a trade of that step takes from what the book shows.
"""

from itertools import accumulate
from math import sqrt
from typing import Final

from engine.core.bars import BarBuilder
from engine.core.config import MINUTE
from engine.core.events import Bar, Book, FeedEvent, Quote, Trade
from engine.core.money import SCALE, floor_to
from engine.venues.sim.listed import Listing
from engine.venues.sim.market_moves import MARKET_VOLATILITY, MarketMoves, Tempo, walk
from engine.venues.sim.noise import NORMAL_UNIT, growth, noise, normals, words
from engine.venues.sim.price_path import HOUR_MINUTES, PricePath

TRADES_PER_SECOND: Final = 0.7  # of one symbol in a normal market
SHAPES: Final = 32  # ready-made books of one side, by thickness
THICKNESSES: Final = (1.5, 1.0, 0.7, 0.45)  # of the book, from a calm to a wild market
WILDNESS: Final = (0.7, 1.2, 2.0)  # volatility against the usual, where the next thickness begins
SIZES: Final = 256
PULL: Final = 48  # how strongly the next move decides who is the aggressor, per deviation, out of 128
COLUMNS: Final = 9  # bytes of noise a step takes

Side = tuple[tuple[int, int], ...]  # (distance from the best price, quantity), best first
Print = tuple[int, int, int, int, int]  # a trade of a leg: step, time, price, quantity, aggressor


class OrderFlow:
    """One symbol. `offset_ns` staggers its steps against other symbols'; `anchor` must be called before use."""

    def __init__(
        self, seed: int, listing: Listing, market: MarketMoves, tempo: Tempo, depth: int, offset_ns: int
    ) -> None:
        self.symbol = listing.instrument.symbol
        self.listing = listing
        self.tempo = tempo
        self.offset_ns = offset_ns
        self.seed = seed
        self.market = market
        self.path = PricePath(seed, self.symbol, listing.own_volatility)
        self.tick = listing.instrument.tick
        self.anchor_level = 0.0
        self.usual = sqrt((MARKET_VOLATILITY * listing.beta) ** 2 + listing.own_volatility**2) / sqrt(24 * HOUR_MINUTES)
        self.bids = self._shapes("bids", depth)
        self.asks = self._shapes("asks", depth)
        self.sizes = self._trade_sizes()

    def anchor(self, minute: int) -> None:
        """Make the price of this minute the listing's start price."""
        self.anchor_level = self._level(minute)

    def leg(self, minute: int, index: int) -> "Leg":
        """Leg number `index` of a minute since 1970."""
        return Leg(self, minute, index)

    def bar(self, minute: int) -> Bar:
        """The closed bar of a minute, stamped at its end: what its trades make."""
        builder = BarBuilder(self.symbol, MINUTE)
        for index in range(self.tempo.legs):
            for _, at_ns, price, qty, _ in self.leg(minute, index).prints:
                builder.add(price, qty, at_ns)
        bar = builder.flush((minute + 1) * MINUTE)
        assert bar is not None, "the first step of every minute trades"
        return bar

    def deviations(self, minute: int) -> tuple[float, float]:
        """Deviation of this minute's move: the part shared with the market, and the symbol's own."""
        hour, index = divmod(minute, HOUR_MINUTES)
        shared = self.market.path.hour(hour).deviations[index] * self.listing.beta
        return shared, self.path.hour(hour).deviations[index]

    def leg_prices(self, minute: int) -> tuple[list[float], float]:
        """Prices in ticks at the ends of the legs, without the minute's jump, and that jump in ticks."""
        first, last = self._price(minute), self._price(minute + 1)
        hour, index = divmod(minute, HOUR_MINUTES)
        jump = self.market.path.hour(hour).jumps.get(index, 0.0) * self.listing.beta
        jump = first * (jump + self.path.hour(hour).jumps.get(index, 0.0))
        last -= jump
        legs = self.tempo.legs
        if legs == 1:
            return [first, last], jump
        shared, own = self.deviations(minute)
        own_moves = normals(noise(2 * legs, self.seed, "leg", self.symbol, minute))
        scale = first / (NORMAL_UNIT * sqrt(legs))
        moves = zip(self.market.leg_moves(minute), own_moves, strict=True)
        walked = [0.0, *accumulate(scale * (shared * common + own * single) for common, single in moves)]
        slope = (last - first - walked[-1]) / legs
        return [first + walked[i] + slope * i for i in range(legs)] + [last], jump

    def _price(self, minute: int) -> float:
        """Price in ticks at the start of a minute."""
        return self.listing.start_price / self.tick * growth(self._level(minute) - self.anchor_level)

    def _level(self, minute: int) -> float:
        return self.listing.beta * self.market.path.level(minute) + self.path.level(minute)

    def _shapes(self, side: str, depth: int) -> tuple[tuple[Side, ...], ...]:
        """Ready-made sides of the book, by thickness: a little different each, thicker away from the best price."""
        start, lot = self.listing.start_price, self.listing.instrument.lot
        gap = max(1.0, start * self.listing.spread / self.tick / 2)  # ticks between levels
        top = self.listing.top_notional * SCALE * SCALE // start
        thicknesses = []
        for thickness in THICKNESSES:
            shapes = []
            for shape in range(SHAPES):
                draws = noise(2 * depth, 0, side, self.symbol, shape)
                levels, distance = [], 0
                for level in range(depth):
                    grown = top * thickness * (1 + level / 2) * (0.4 + draws[2 * level] / 213)
                    levels.append((distance * self.tick, max(lot, floor_to(int(grown), lot))))
                    distance += max(1, int(gap * (0.5 + draws[2 * level + 1] / 255)))
                shapes.append(tuple(levels))
            thicknesses.append(tuple(shapes))
        return tuple(thicknesses)

    def _trade_sizes(self) -> tuple[int, ...]:
        """Quantities by a byte of noise: mostly small, one in forty larger than what the best price shows."""
        lot = self.listing.instrument.lot
        top = self.listing.top_notional * SCALE * SCALE // self.listing.start_price
        shares = [0.001 + (byte / SIZES) ** 4 * 0.25 for byte in range(SIZES - 6)] + [0.8, 1.0, 1.2, 1.5, 2.0, 3.0]
        return tuple(max(lot, floor_to(int(top * share), lot)) for share in shares)


class Leg:
    """Up to some hundred steps of one symbol, with all its trades; a pure function of the flow's seed and the time."""

    def __init__(self, flow: OrderFlow, minute: int, index: int) -> None:
        tempo = flow.tempo
        steps, number = tempo.steps, minute * tempo.legs + index
        self._flow = flow
        self.start_ns = minute * MINUTE + index * steps * tempo.interval_ns + flow.offset_ns
        raw = noise(COLUMNS * steps, flow.seed, "flow", flow.symbol, number)
        self._bid_shapes, self._ask_shapes = raw[2 * steps : 3 * steps], raw[3 * steps : 4 * steps]
        shared, own = flow.deviations(minute)
        deviation = sqrt(shared * shared + own * own)
        wild = deviation / flow.usual
        prices, jump = flow.leg_prices(minute)
        self.mids = self._walk(prices[index], prices[index + 1], number, raw[: 2 * steps], shared, own)
        if jump:
            self._strike(jump, flow.market.jump_step(minute) - index * steps)
        self._spread = max(1, round(prices[0] * flow.listing.spread * (0.6 + 0.4 * wild)))
        self._wider = self._spread + max(1, self._spread // 4)
        thickness = sum(wild > limit for limit in WILDNESS)
        self._bids, self._asks = flow.bids[thickness], flow.asks[thickness]
        odds = min(0.95, TRADES_PER_SECOND * tempo.interval_ns / 1e9 * (0.5 + 0.5 * wild))
        lean = PULL / (prices[0] * deviation / sqrt(tempo.minute_steps))
        self.prints = self._trades(raw, int(odds * 65_536), lean, always=index == 0)

    def tell(self, first: int, last: int, out: list[FeedEvent]) -> None:
        """Append the quotes, books and trades of the steps [first, last)."""
        symbol, tick, interval_ns = self._flow.symbol, self._flow.tick, self._flow.tempo.interval_ns
        prints = iter([trade for trade in self.prints if first <= trade[0] < last])
        trade = next(prints, None)
        for step in range(first, last):
            at_ns = self.start_ns + step * interval_ns
            bid, ask = self._best(step)
            bid, ask = bid * tick, ask * tick
            bids = self._bids[self._bid_shapes[step] % SHAPES]
            asks = self._asks[self._ask_shapes[step] % SHAPES]
            out.append(Quote(symbol, at_ns, at_ns, bid, ask, bids[0][1], asks[0][1]))
            levels = tuple([(bid - away, qty) for away, qty in bids]), tuple([(ask + away, qty) for away, qty in asks])
            out.append(Book(symbol, at_ns, at_ns, *levels))
            while trade is not None and trade[0] == step:
                _, traded_ns, price, qty, side = trade
                out.append(Trade(symbol, traded_ns, traded_ns, price, qty, side))
                trade = next(prints, None)

    def quotes(self, first: int, last: int, out: list[FeedEvent]) -> None:
        """Append the quotes of the steps [first, last) alone, as `tell` would."""
        symbol, tick, interval_ns = self._flow.symbol, self._flow.tick, self._flow.tempo.interval_ns
        bids, asks, best = self._bids, self._asks, self._best
        bid_shapes, ask_shapes = self._bid_shapes, self._ask_shapes
        for step in range(first, last):
            at_ns = self.start_ns + step * interval_ns
            bid, ask = best(step)
            shown = bids[bid_shapes[step] % SHAPES][0][1], asks[ask_shapes[step] % SHAPES][0][1]
            out.append(Quote(symbol, at_ns, at_ns, bid * tick, ask * tick, *shown))

    def _walk(self, first: float, last: float, number: int, raw: bytes, shared: float, own: float) -> list[float]:
        """Mid prices in ticks, one more than there are steps: a bridge whose noise is partly the market's."""
        tempo = self._flow.tempo
        scale = first / (NORMAL_UNIT * sqrt(tempo.minute_steps))
        common, single = scale * shared, scale * own
        market, mine = self._flow.market.steps(number), walk(raw)
        slope = (last - first - common * market[-1] - single * mine[-1]) / tempo.steps
        return [first + slope * i + common * x + single * y for i, (x, y) in enumerate(zip(market, mine, strict=True))]

    def _strike(self, jump: float, step: int) -> None:
        """Add the minute's jump from `step` of this leg on; it may lie before or after the leg."""
        for i in range(max(0, step), len(self.mids)):
            self.mids[i] += jump

    def _best(self, step: int) -> tuple[int, int]:
        """Best bid and ask in ticks."""
        spread = self._spread if self._bid_shapes[step] & 192 else self._wider
        bid = int(self.mids[step] - spread / 2)
        return bid, bid + spread

    def _trades(self, raw: bytes, odds: int, lean: float, always: bool) -> list[Print]:
        """All trades of the leg: an aggressor, leaning with the next move, takes what one or two levels show."""
        flow, steps, mids = self._flow, self._flow.tempo.steps, self.mids
        tick, interval_ns = flow.tick, flow.tempo.interval_ns
        room_ns = interval_ns - flow.offset_ns  # a step's trade stays in the minute its step is in
        chances, leans, sizes = (
            words(raw[4 * steps : 6 * steps]),
            raw[6 * steps : 7 * steps],
            raw[7 * steps : 8 * steps],
        )
        delays = raw[8 * steps :]
        start_ns, bid_shapes, ask_shapes = self.start_ns, self._bid_shapes, self._ask_shapes
        bids, asks, usual, best = self._bids, self._asks, flow.sizes, self._best
        prints: list[Print] = []
        for step in [step for step, chance in enumerate(chances) if chance < odds or (always and step == 0)]:
            bid, ask = best(step)
            at_ns = start_ns + step * interval_ns + room_ns * delays[step] // 256
            if (mids[step + 1] - mids[step]) * lean + leans[step] >= 128:
                levels, price, side = asks[ask_shapes[step] % SHAPES], ask * tick, 1
            else:
                levels, price, side = bids[bid_shapes[step] % SHAPES], bid * tick, -1
            wanted, shown = usual[sizes[step]], levels[0][1]
            if wanted <= shown:
                prints.append((step, at_ns, price, wanted, side))
                continue
            prints.append((step, at_ns, price, shown, side))
            for away, deeper in levels[1:2]:
                prints.append((step, at_ns, price + side * away, min(wanted - shown, deeper), side))
        return prints
