"""Chance for the generated market: keyed hashes in bulk, and arithmetic that gives the same bits on every machine.

One key gives one run of bytes, whatever was asked before, so any moment of the market can be computed by itself. Only
IEEE additions, multiplications, divisions and square roots are used on them: `exp` and `log` of two C libraries may
differ in the last bit, and one bit is another price.
"""

from hashlib import shake_128
from statistics import NormalDist
from struct import unpack
from typing import Final

NORMAL_STEPS: Final = 4096
NORMAL_UNIT: Final = 1000  # the table is in thousandths of a standard deviation


def _normal_table() -> tuple[int, ...]:
    """Quantiles of the normal distribution, rounded so coarsely that the last bits of `log` cannot show."""
    normal = NormalDist()
    half = [round(NORMAL_UNIT * normal.inv_cdf((i + 0.5) / NORMAL_STEPS)) for i in range(NORMAL_STEPS // 2)]
    return (*half, *(-value for value in reversed(half)))


NORMAL: Final = _normal_table()


def noise(size: int, seed: int, purpose: str, name: str, index: int) -> bytes:
    """`size` bytes that depend on the key alone."""
    return shake_128(f"{seed}\x1f{purpose}\x1f{name}\x1f{index}".encode()).digest(size)


def normals(raw: bytes) -> list[int]:
    """One draw of the normal distribution, in thousandths of its deviation, for every two bytes."""
    return [NORMAL[word & (NORMAL_STEPS - 1)] for word in words(raw)]


def words(raw: bytes) -> tuple[int, ...]:
    """Every two bytes as one integer in [0, 65536)."""
    return unpack(f"<{len(raw) // 2}H", raw)


def growth(log: float) -> float:
    """e to the power of `log`, for |log| up to about 5, by arithmetic alone: the same bits on every machine."""
    small = log / 1024
    power = 1.0 + small + small * small / 2
    for _ in range(10):
        power *= power
    return power
