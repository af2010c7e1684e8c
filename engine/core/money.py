"""Exact numbers: every price, quantity, amount of money, rate and ratio is an `int` in units of 1e-8.

One scale for everything keeps the arithmetic free of conversions: `1.5` is `150_000_000`, 1 % is `1_000_000`.
Text becomes a number only through `parse`, a number becomes text only through `text`; nothing passes through float.
A product of two scaled numbers is rounded in `mul`, a quotient in `div`, and nowhere else.
"""

from typing import Final

SCALE: Final = 100_000_000
DIGITS: Final = 8
INTEGER_DIGITS_MAX: Final = 18  # longer integer parts are damage, not prices


class NotExact(ValueError):
    """The text is not a plain decimal number of at most 8 decimal places."""

    def __init__(self, raw: object) -> None:
        super().__init__(f"not an exact decimal with at most {DIGITS} places: {str(raw)[:40]!r}")
        self.raw = raw


def parse(raw: str) -> int:
    """`raw` in units of 1e-8, exactly.

    Accepts an optional sign, digits and an optional fraction ("-12.5"); trailing zeros beyond the eighth place are
    allowed because they change nothing.

    Raises:
        NotExact: for anything else, also exponents, NaN, infinity, blanks and a ninth significant place.
    """
    sign, body = (-1, raw[1:]) if raw[:1] == "-" else (1, raw)
    whole, _, fraction = body.partition(".")
    if len(fraction) > DIGITS:
        fraction = fraction.rstrip("0")
    if (
        len(fraction) > DIGITS
        or len(whole) > INTEGER_DIGITS_MAX
        or not (whole + fraction).isascii()
        or not (whole + fraction).isdigit()
    ):
        raise NotExact(raw)
    return sign * (int(whole or "0") * SCALE + int(fraction.ljust(DIGITS, "0") or "0"))


def text(value: int, places: int | None = None) -> str:
    """`value` as a plain decimal: shortest exact form, or rounded half away from zero to `places` (0 to 8) places."""
    sign = "-" if value < 0 else ""
    magnitude = abs(value)
    if places is None:
        whole, rest = divmod(magnitude, SCALE)
        fraction = f"{rest:08d}".rstrip("0")
        return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
    unit: int = 10 ** (DIGITS - places)
    rounded = (magnitude + unit // 2) // unit
    whole, rest = divmod(rounded, 10**places)
    sign = sign if rounded else ""
    return f"{sign}{whole}.{rest:0{places}d}" if places else f"{sign}{whole}"


def mul(a: int, b: int) -> int:
    """a x b, rounded half away from zero: a price times a quantity is a notional, a notional times a rate a fee."""
    product = a * b
    half = SCALE // 2
    return (product + half) // SCALE if product >= 0 else -((-product + half) // SCALE)


def div(a: int, b: int) -> int:
    """a / b, rounded half away from zero. Raises ZeroDivisionError when `b` is zero."""
    if b < 0:
        a, b = -a, -b
    double = 2 * SCALE * a
    return (double + b) // (2 * b) if a >= 0 else -((b - double) // (2 * b))


def floor_to(value: int, step: int) -> int:
    """The largest multiple of `step` not above `value` (towards minus infinity); `step` is above zero."""
    return value // step * step


def ceil_to(value: int, step: int) -> int:
    """The smallest multiple of `step` not below `value`; `step` is above zero."""
    return -(-value // step) * step
