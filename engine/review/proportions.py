"""What a hit rate can be, given how few trades it was seen in: intervals of a proportion, hits over tries.

Both are two-sided. Wilson's is the one to read; Clopper's and Pearson's never covers less than its level and is wider.
"""

import math
from statistics import NormalDist
from typing import Final

from engine.review.measure import Interval, scaled

LEVEL: Final = 0.95
_TINY: Final = 1e-300
_EPSILON: Final = 1e-15
_STEPS_MAX: Final = 400
_HALVINGS: Final = 60  # of [0, 1]: below any digit that is kept


def wilson(hits: int, tries: int, level: float = LEVEL) -> Interval | None:
    """The score interval; None without tries.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22(158), 1927.
    """
    if not tries:
        return None
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, weight = hits / tries, z * z / tries
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / tries + weight / (4 * tries))
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == tries else middle + half
    return Interval(scaled(low), scaled(high), scaled(level))


def clopper_pearson(hits: int, tries: int, level: float = LEVEL) -> Interval | None:
    """The exact interval; None without tries.

    Its ends are quantiles of beta distributions: of B(hits, tries - hits + 1) and B(hits + 1, tries - hits).

    Source: Clopper and Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial",
    Biometrika 26(4), 1934.
    """
    if not tries:
        return None
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else _beta_quantile(tail, hits, tries - hits + 1)
    high = 1.0 if hits == tries else _beta_quantile(1 - tail, hits + 1, tries - hits)
    return Interval(scaled(low), scaled(high), scaled(level))


def _beta_quantile(probability: float, a: int, b: int) -> float:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _beta_cdf(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta_cdf(x: float, a: int, b: int) -> float:
    """The regularized incomplete beta function, by its continued fraction (Abramowitz and Stegun, 26.5.8)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )  # alike on both sides of the mirror below
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: int, b: int) -> float:
    """The continued fraction, from the front (Lentz): converges within some root of a + b steps below the mean."""
    c, d = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS_MAX):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _off_zero(1 + term * d)
            c = _off_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _EPSILON:
            break
    return value


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
