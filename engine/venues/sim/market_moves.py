"""What the generated symbols share: how a minute is cut into steps, and the market's own move through them."""

from array import array
from itertools import accumulate
from typing import Final

import msgspec

from engine.core.config import MINUTE
from engine.venues.sim.noise import noise, normals, words
from engine.venues.sim.price_path import PricePath

LEG_STEPS_MAX: Final = 240
LEGS: Final = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)  # a minute is cut into one of these
MARKET: Final = "market"
MARKET_VOLATILITY: Final = 0.022  # daily deviation of what all symbols share
LEGS_KEPT: Final = 1_500  # so that ten symbols can tell their last day one after the other


class NoSuchTempo(ValueError):
    """The interval between two quotes does not cut a minute evenly."""


class Tempo(msgspec.Struct, frozen=True):
    """How a minute is cut: into `legs`, a leg into `steps` of `interval_ns`."""

    interval_ns: int
    legs: int
    steps: int

    @classmethod
    def of(cls, interval_ns: int) -> "Tempo":
        """The tempo with a quote every `interval_ns`, which divides a minute. Raises NoSuchTempo."""
        if interval_ns <= 0 or MINUTE % interval_ns:
            raise NoSuchTempo(f"{interval_ns} ns between quotes does not divide a minute evenly")
        steps = MINUTE // interval_ns
        fitting = [legs for legs in LEGS if steps % legs == 0]
        legs = next((legs for legs in fitting if steps // legs <= LEG_STEPS_MAX), fitting[-1])
        return cls(interval_ns, legs, steps // legs)

    @property
    def minute_steps(self) -> int:
        return self.legs * self.steps


class MarketMoves:
    """What all symbols share: the market's path, its noise within a leg, the moment a jump strikes."""

    def __init__(self, seed: int, tempo: Tempo) -> None:
        self.path = PricePath(seed, MARKET, MARKET_VOLATILITY)
        self._seed = seed
        self._tempo = tempo
        self._steps: dict[int, array[int]] = {}

    def steps(self, leg: int) -> "array[int]":
        """The walk within a leg (numbered since 1970), in thousandths of a step's deviation, from 0."""
        kept = self._steps.get(leg)
        if kept is None:
            if len(self._steps) >= LEGS_KEPT:
                del self._steps[next(iter(self._steps))]
            raw = noise(2 * self._tempo.steps, self._seed, "step", MARKET, leg)
            kept = self._steps[leg] = array("i", walk(raw))
        return kept

    def leg_moves(self, minute: int) -> list[int]:
        return normals(noise(2 * self._tempo.legs, self._seed, "leg", MARKET, minute))

    def jump_step(self, minute: int) -> int:
        """The step of a minute at which its jump, if it has one, strikes every symbol."""
        return words(noise(2, self._seed, "jump step", MARKET, minute))[0] * self._tempo.minute_steps >> 16


def walk(raw: bytes) -> list[int]:
    """A random walk from 0, one step for every two bytes, in thousandths of a step's deviation."""
    return list(accumulate(normals(raw), initial=0))
