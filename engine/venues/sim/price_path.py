"""The generated price as a function of (seed, time): levels of coarse anchors with bridges between them.

Day levels are a slowly mean-reverting sum of daily shocks, so that the price neither explodes nor dies over months.
Between two days 24 hourly moves, and between two hours 60 minute moves, are drawn and then bent to meet the coarser
level (a Brownian bridge with changing variance). So any minute can be computed by itself, cheaply, and is the same
whoever asks and whenever.

What makes it a market: volatility follows a day, a regime of some hours, the time of day, clusters of minutes and
the aftershocks of jumps; minute moves follow trending, neutral and mean-reverting stretches.
"""

from collections.abc import Sequence
from itertools import accumulate
from math import sqrt
from typing import Final, TypeVar

import msgspec

from engine.venues.sim.noise import NORMAL, NORMAL_UNIT, noise, normals, words

DAY_HOURS: Final = 24
HOUR_MINUTES: Final = 60
DAY_MINUTES: Final = DAY_HOURS * HOUR_MINUTES

MEMORY_DAYS: Final = 128
MEMORY: Final = 0.97  # what is left of a daily shock a day later
REGIME_HOURS: Final = 3
CALM, NORMAL_REGIME, STORMY = 0.55, 1.0, 1.9
REGIMES: Final = (CALM,) * 5 + (NORMAL_REGIME,) * 8 + (STORMY,) * 3
REVERTING, NEUTRAL, TRENDING = -0.3, 0.0, 0.25  # correlation of neighbouring minute moves
STRETCHES: Final = (REVERTING,) * 6 + (NEUTRAL,) * 6 + (TRENDING,) * 4
DAY_SHARES: Final = (0.75, 0.85, 0.95, 1.0, 1.0, 1.1, 1.25, 1.4)
CLUSTER_MINUTES: Final = 10
CLUSTERS: Final = tuple(0.4 + i * i / 130 for i in range(16))  # volatility of a cluster: mostly low, at times high
AFTERSHOCK_MINUTES: Final = 20
WEEKEND: Final = 0.75
SEASON: Final = (  # volatility by hour of the day (UTC): quiet before Europe, busiest when New York opens
    *(0.95, 0.90, 0.88, 0.82, 0.78, 0.76, 0.78, 0.90, 1.00, 0.98, 0.94, 0.96),
    *(1.05, 1.28, 1.38, 1.32, 1.22, 1.12, 1.04, 0.98, 0.96, 0.94, 0.92, 0.96),
)
JUMP_ODDS: Final = 120  # of 65,536 a minute: about one in nine hours
JUMP_SIGMAS_MIN: Final = 4.0
JUMP_SIGMAS_SPAN: Final = 5.0
KEPT_MAX: Final = 6

Kept = TypeVar("Kept")


class Hour(msgspec.Struct, frozen=True):
    """One hour of one path: 61 log levels (the last opens the next hour), 60 deviations, jumps by minute."""

    levels: tuple[float, ...]
    deviations: tuple[float, ...]
    jumps: dict[int, float]


class PricePath:
    """The log level of one random factor, by minutes since 1970; 0 is where it reverts to in the long run."""

    def __init__(self, seed: int, name: str, daily_volatility: float) -> None:
        self._seed = seed
        self._name = name
        self._daily = daily_volatility
        self._days: dict[int, float] = {}
        self._day_hours: dict[int, tuple[float, ...]] = {}
        self._hours: dict[int, Hour] = {}

    def hour(self, hour: int) -> Hour:
        """The hour numbered `hour` since 1970."""
        kept = self._hours.get(hour)
        if kept is None:
            _make_room(self._hours)
            kept = self._hours[hour] = self._compute_hour(hour)
        return kept

    def level(self, minute: int) -> float:
        """The log level at the start of a minute."""
        hour, index = divmod(minute, HOUR_MINUTES)
        return self.hour(hour).levels[index]

    def _compute_hour(self, hour: int) -> Hour:
        day, index = divmod(hour, DAY_HOURS)
        hours = self._hours_of(day)
        jumps = self._jumps(hour)
        deviations = self._deviations(hour, jumps)
        stretch = STRETCHES[self._draw("stretch", hour // REGIME_HOURS) & 15]
        fresh = sqrt(1 - stretch * stretch) / NORMAL_UNIT
        moves, last = [], 0.0
        for draw, deviation in zip(self._normals("minute", hour, HOUR_MINUTES), deviations, strict=True):
            last = stretch * last + fresh * draw
            moves.append(last * deviation)
        sized = {minute: size * deviations[minute] for minute, size in jumps.items()}
        for minute, jump in sized.items():
            moves[minute] += jump
        return Hour(_bridge(hours[index], hours[index + 1], moves, deviations), deviations, sized)

    def _deviations(self, hour: int, jumps: dict[int, float]) -> tuple[float, ...]:
        """Deviation of each minute's move: the hour's, shaped by clusters and by jumps that came before."""
        usual = self._hour_deviation(hour) / sqrt(HOUR_MINUTES)
        first = hour * HOUR_MINUTES // CLUSTER_MINUTES
        anchors = [CLUSTERS[self._draw("cluster", first + i) & 15] for i in range(HOUR_MINUTES // CLUSTER_MINUTES + 1)]
        shaken = [1.0] * HOUR_MINUTES
        before = {minute - HOUR_MINUTES: size for minute, size in self._jumps(hour - 1).items()}
        for minute, size in (before | jumps).items():
            strength = abs(size) / JUMP_SIGMAS_MIN / 2
            for after in range(max(0, minute + 1), min(HOUR_MINUTES, minute + 1 + AFTERSHOCK_MINUTES)):
                shaken[after] += strength * (1 - (after - minute) / (AFTERSHOCK_MINUTES + 1))
        return tuple(
            usual * shaken[minute] * _between(anchors, minute, CLUSTER_MINUTES) for minute in range(HOUR_MINUTES)
        )

    def _jumps(self, hour: int) -> dict[int, float]:
        """Jumps of an hour: by minute, in deviations of that minute."""
        draws = words(noise(4 * HOUR_MINUTES, self._seed, "jump", self._name, hour))
        jumps = {}
        for minute in range(HOUR_MINUTES):
            if draws[2 * minute] < JUMP_ODDS:
                size = draws[2 * minute + 1]
                sign = 1 if size & 1 else -1
                jumps[minute] = sign * (JUMP_SIGMAS_MIN + JUMP_SIGMAS_SPAN * size / 65_536)
        return jumps

    def _hours_of(self, day: int) -> tuple[float, ...]:
        """25 log levels: the hours of a day and the start of the next."""
        kept = self._day_hours.get(day)
        if kept is None:
            _make_room(self._day_hours)
            deviations = [self._hour_deviation(day * DAY_HOURS + hour) for hour in range(DAY_HOURS)]
            draws = self._normals("hour", day, DAY_HOURS)
            moves = [draw * deviation / NORMAL_UNIT for draw, deviation in zip(draws, deviations, strict=True)]
            kept = self._day_hours[day] = _bridge(self._day_level(day), self._day_level(day + 1), moves, deviations)
        return kept

    def _hour_deviation(self, hour: int) -> float:
        day, index = divmod(hour, DAY_HOURS)
        usual = self._daily / sqrt(DAY_HOURS) * SEASON[index] * self._day_share(day)
        if (day + 3) % 7 >= 5:  # day 0 was a Thursday
            usual *= WEEKEND
        return usual * REGIMES[self._draw("regime", hour // REGIME_HOURS) & 15]

    def _day_level(self, day: int) -> float:
        kept = self._days.get(day)
        if kept is None:
            _make_room(self._days)
            kept, weight = 0.0, 1.0
            for past in range(day, day - MEMORY_DAYS, -1):
                shock = NORMAL[self._draw("day", past) & 4095]
                kept += weight * self._daily * self._day_share(past) * shock / NORMAL_UNIT
                weight *= MEMORY
            self._days[day] = kept
        return kept

    def _day_share(self, day: int) -> float:
        return DAY_SHARES[self._draw("day share", day) & 7]

    def _draw(self, purpose: str, index: int) -> int:
        return words(noise(2, self._seed, purpose, self._name, index))[0]

    def _normals(self, purpose: str, index: int, count: int) -> list[int]:
        return normals(noise(2 * count, self._seed, purpose, self._name, index))


def _bridge(first: float, last: float, moves: Sequence[float], deviations: Sequence[float]) -> tuple[float, ...]:
    """Levels from `first` to `last`: the moves, corrected in proportion to their variance so that they end there."""
    walked = list(accumulate(moves))
    variance = list(accumulate(deviation * deviation for deviation in deviations))
    missing = (last - first - walked[-1]) / variance[-1]
    inner = [first + step + missing * share for step, share in zip(walked[:-1], variance[:-1], strict=True)]
    return (first, *inner, last)


def _between(anchors: list[float], position: int, span: int) -> float:
    index, rest = divmod(position, span)
    return anchors[index] + (anchors[index + 1] - anchors[index]) * rest / span


def _make_room(kept: dict[int, Kept]) -> None:
    """Forget the oldest entry of a full cache."""
    if len(kept) >= KEPT_MAX:
        del kept[next(iter(kept))]
