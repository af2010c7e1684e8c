"""One column of integers of any size, packed: first value, steps or values, in their greatest common unit."""

import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate
from math import gcd
from operator import sub
from typing import Final

import msgspec

_WIDTHS: Final = "bhiq"  # array typecodes of 1, 2, 4 and 8 bytes, little-endian when packed
_TEXT: Final = "s"  # the column holds integers beyond 64 bits, as decimal text


class Packed(msgspec.Struct, array_like=True, frozen=True):
    """A column: `first` and the rest in multiples of `unit`; `width` is an array typecode, `_TEXT` or "" (no rest).

    Without steps all values are the rest, and `first` is 0.
    """

    first: int | str
    unit: int | str
    width: str
    data: bytes


def pack_ints(values: Sequence[int], steps: bool) -> Packed:
    """Pack `values`: as the first and the steps from one to the next, or, without `steps`, as they are."""
    if not values:
        return Packed(0, 0, "", b"")
    first = int(values[0]) if steps else 0
    rest = list(map(sub, values[1:], values)) if steps else values
    unit = gcd(*rest)
    if unit == 0:
        return Packed(_number(first), 0, "", b"")
    if unit > 1:
        rest = [value // unit for value in rest]
    for width in _WIDTHS:
        try:
            return Packed(_number(first), _number(unit), width, little_endian(array(width, rest)).tobytes())
        except OverflowError:
            continue
    return Packed(_number(first), _number(unit), _TEXT, " ".join(map(str, rest)).encode())


def unpack_ints(packed: Packed, count: int, steps: bool) -> list[int]:
    """The `count` values of a column packed with the same `steps`. Raises ValueError if it does not hold as many."""
    first, unit = int(packed.first), int(packed.unit)
    if unit == 0:
        return [first if steps else 0] * count
    if packed.width == _TEXT:
        rest = list(map(int, packed.data.split()))
    else:
        rest = little_endian(array(packed.width, packed.data)).tolist()
    if unit > 1:
        rest = [value * unit for value in rest]
    values = list(accumulate(rest, initial=first)) if steps else rest
    if len(values) != count:
        raise ValueError(f"a column holds {len(values)} of {count} values")
    return values


def _number(value: int) -> int | str:
    """`value` as msgpack can hold it."""
    return value if -(2**63) <= value < 2**63 else str(value)


def little_endian(numbers: "array[int]") -> "array[int]":
    """`numbers` in the byte order of a packed column, or from it."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
