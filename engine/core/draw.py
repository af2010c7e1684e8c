"""Chance without state: a draw is a keyed hash of (seed, purpose, keys), so every order and profile has its own stream.

The same question always gets the same answer, on any machine, in any order and after any restart; nothing has to be
saved in a snapshot, and one more draw for one purpose shifts no other.
"""

from hashlib import blake2b


def below(bound: int, seed: int, purpose: str, *keys: str | int) -> int:
    """An integer in [0, bound), uniform to within bound / 2**64; `bound` is at least 1."""
    label = "\x1f".join((str(seed), purpose, *map(str, keys)))
    return int.from_bytes(blake2b(label.encode(), digest_size=8).digest()) * bound >> 64


def between(low: int, high: int, seed: int, purpose: str, *keys: str | int) -> int:
    """An integer in [low, high], both ends included; `high` is not below `low`."""
    return low + below(high - low + 1, seed, purpose, *keys)
