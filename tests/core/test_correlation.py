"""Correlation of returns: against a plain computation, after a restart, and what is unknown."""

from fractions import Fraction
from itertools import pairwise
from math import isqrt

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import money
from engine.core.calendar import Calendar
from engine.core.config import HOUR, MINUTE
from engine.core.correlation import HOLE_MAX, Alike, Correlations, Returns
from engine.core.draw import below
from engine.core.events import Bar
from tests.rig import d

WINDOW = 20
GROUPS = {"A": "crypto", "B": "crypto", "C": "shares"}
CALENDARS = dict.fromkeys(GROUPS, Calendar())


def bar(symbol: str, minute: int, close: int) -> Bar:
    start = (1_000_000 + minute) * MINUTE
    return Bar(symbol, start + MINUTE, start, MINUTE, close, close, close, close, d(1))


def walk(seed: int, length: int, start: str = "100") -> list[int]:
    """A price path of its own for each seed."""
    closes = [d(start)]
    for step in range(length):
        closes.append(closes[-1] + (below(2001, seed, "walk", step) - 1000) * closes[-1] // 100_000)
    return closes


def fed(paths: dict[str, list[int]], series: dict[str, Returns] | None = None) -> Correlations:
    made = Correlations({} if series is None else series, GROUPS, CALENDARS, WINDOW, MINUTE)
    for minute in range(max(map(len, paths.values()))):
        for symbol, closes in paths.items():
            if minute < len(closes) and closes[minute]:
                made.add(bar(symbol, minute, closes[minute]))
    return made


def returns(closes: list[int]) -> list[int]:
    return [money.div(b - a, a) for a, b in pairwise(closes)][-WINDOW:]


def pearson_squared(x: list[int], y: list[int]) -> Fraction:
    """By the definition: covariance squared over the variances."""
    n = len(x)
    mean_x, mean_y = Fraction(sum(x), n), Fraction(sum(y), n)
    covariance = Fraction(sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)))
    variances = sum(((a - mean_x) * (a - mean_x) for a in x), Fraction(0))
    return covariance * covariance / (variances * sum(((b - mean_y) * (b - mean_y) for b in y), Fraction(0)))


def between(made: Correlations, one: str, other: str) -> int:
    found = made.alike(one, 1, [(other, 1)])
    assert found.twin == other, "it is known"
    return found.rho


def test_identical_series_correlate_fully_and_opposite_directions_turn_the_sign() -> None:
    made = fed({"A": walk(1, 40), "B": walk(1, 40)})
    assert made.alike("A", 1, [("B", 1)]) == Alike(money.SCALE, "B", WINDOW, "")
    assert made.alike("A", -1, [("B", -1)]).rho == money.SCALE
    assert made.alike("A", 1, [("B", -1)]).rho == -money.SCALE


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(WINDOW + 1, 60))
def test_the_coefficient_is_pearsons_over_the_window_rounded_away_from_zero(a: int, b: int, length: int) -> None:
    paths = {"A": walk(a, length), "B": walk(b, length)}
    squared = pearson_squared(returns(paths["A"]), returns(paths["B"])) * money.SCALE**2
    found = abs(between(fed(paths), "A", "B"))
    assert (found - 1) ** 2 < squared <= found**2 or found == squared == 0
    assert found - isqrt(squared.numerator // squared.denominator) in (0, 1)


def test_the_highest_of_several_counts() -> None:
    made = fed({"A": walk(1, 40), "B": walk(1, 40), "C": walk(3, 40)})
    low = between(made, "A", "C")
    assert low < d("0.8")
    assert made.alike("A", 1, [("C", 1), ("B", 1)]).twin == "B"
    assert made.alike("A", 1, [("C", 1)]) == Alike(low, "C", WINDOW, "")


@pytest.mark.parametrize("length", [0, 1, WINDOW - 1])
def test_too_few_returns_are_unknown_within_the_group_and_nothing_across_groups(length: int) -> None:
    path = walk(1, length)
    made = fed({"A": path, "B": path, "C": path})
    assert made.alike("A", 1, [("B", 1)]) == Alike(0, "", len(path) - 1, "B")
    assert made.alike("A", 1, [("C", 1)]) == Alike(0, "", WINDOW, "")
    assert fed({"A": walk(1, WINDOW), "B": walk(1, WINDOW)}).alike("A", 1, [("B", 1)]).stranger == ""


def test_a_symbol_without_any_bar_is_unknown() -> None:
    assert fed({"A": walk(1, 40)}).alike("A", 1, [("B", 1)]) == Alike(0, "", 0, "B")


def test_prices_that_stand_still_say_nothing() -> None:
    made = fed({"A": [d(100)] * 40, "B": walk(1, 40)})
    assert made.alike("A", 1, [("B", 1)]) == Alike(0, "", 0, "B")


@pytest.mark.parametrize("missing", [1, 2, HOLE_MAX])
@pytest.mark.parametrize("after", [0, 5])
def test_a_short_hole_counts_as_standing_still(missing: int, after: int) -> None:
    whole, holed = (walk(1, 50 + missing + after) for _ in range(2))
    still = list(holed)
    holed[50 : 50 + missing] = [0] * missing
    still[50 : 50 + missing] = [still[49]] * missing
    squared = pearson_squared(returns(whole), returns(still)) * money.SCALE**2
    found = between(fed({"A": whole, "B": holed}), "A", "B")
    assert (found - 1) ** 2 < squared <= found**2


def test_a_long_hole_begins_anew() -> None:
    whole, holed = walk(1, 60), walk(1, 60)
    holed[50 : 50 + HOLE_MAX + 1] = [0] * (HOLE_MAX + 1)
    assert fed({"A": whole, "B": holed}).alike("A", 1, [("B", 1)]).stranger == "B"


def test_a_symbol_that_falls_silent_is_unknown_after_a_while() -> None:
    path = walk(1, 40)
    made = fed({"A": path + walk(2, HOLE_MAX - 1, "100"), "B": path})
    assert between(made, "A", "B") == money.SCALE, "as of the newest bar both had"
    made.add(bar("A", len(path) + HOLE_MAX, d(101)))
    assert made.alike("A", 1, [("B", 1)]) == Alike(0, "", WINDOW - 1, "B"), "there are enough returns, of other times"


# --- exact values ---


def known(returns_of: dict[str, list[int]]) -> Correlations:
    """Correlations that remember these returns, in units of 1e-8, all up to the same minute."""
    series = {symbol: Returns(1_000_000 * MINUTE, d(100), values) for symbol, values in returns_of.items()}
    return Correlations(series, GROUPS, CALENDARS, len(returns_of["A"]), MINUTE)


@pytest.mark.parametrize(
    ("a", "b", "rho", "why"),
    [
        ([0, 1], [0, 1], d(1), "the smallest move there is"),
        ([0, 1], [1, 0], -d(1), "opposite moves"),
        ([0, 1, 0, 1], [0, 0, 1, 1], 0, "nothing in common"),
        ([d(1), -d(1), 1], [5, 5, 6], 1, "0.58e-8 is rounded away from zero"),
        ([d(1), -d(1), -1], [5, 5, 6], -1, "and so is -0.58e-8"),
        ([0, 0, 1], [0, 1, 1], d("0.5"), "half: 1 over the root of 2 times 2"),
        ([0, 0, 1], [1, 1, 2], d(1), "the same moves from another mean"),
    ],
)
def test_a_coefficient_is_exact_and_has_its_sign(a: list[int], b: list[int], rho: int, why: str) -> None:
    assert between(known({"A": a, "B": b}), "A", "B") == rho, why
    assert between(known({"A": a, "B": b}), "B", "A") == rho


def test_of_several_as_high_the_first_is_named_and_a_higher_one_instead() -> None:
    made = known({"A": [0, 1], "B": [0, 1], "C": [0, 1]})
    assert made.alike("A", 1, [("B", 1), ("C", 1)]) == Alike(d(1), "B", 2, "")
    assert made.alike("A", 1, [("C", 1), ("B", 1)]) == Alike(d(1), "C", 2, "")
    assert made.alike("A", 1, [("B", -1), ("C", 1)]) == Alike(d(1), "C", 2, "")
    assert made.alike("A", 1, [("B", -1), ("C", -1)]) == Alike(-d(1), "B", 2, ""), "an opposite is the nearest"


def test_of_several_that_are_unknown_the_first_with_the_fewest_returns_is_named() -> None:
    groups = dict.fromkeys("ABCD", "crypto")
    made = Correlations({}, groups, dict.fromkeys("ABCD", Calendar()), WINDOW, MINUTE)
    for symbol, count in (("A", 15), ("B", 12), ("C", 9), ("D", 12)):
        for minute, close in enumerate(walk(1, count), start=100 - count):
            made.add(bar(symbol, minute, close))
    assert made.alike("A", 1, [("B", 1), ("D", 1)]) == Alike(0, "", 12, "B")
    assert made.alike("A", 1, [("D", 1), ("B", 1)]) == Alike(0, "", 12, "D")
    assert made.alike("A", 1, [("B", 1), ("C", 1), ("D", 1)]) == Alike(0, "", 9, "C")
    assert made.alike("C", 1, [("A", 1)]) == Alike(0, "", 9, "A"), "whose series is the shorter does not matter"


def test_a_symbol_that_is_none_of_the_runs_is_like_nothing() -> None:
    made = fed({"A": walk(1, 40), "B": walk(1, 40)})
    assert made.alike("X", 1, [("A", 1), ("B", 1)]) == Alike(0, "", WINDOW, "")


def test_the_smallest_price_is_one() -> None:
    path = [1 + minute % 3 for minute in range(40)]
    assert between(fed({"A": path, "B": path}), "A", "B") == money.SCALE


def test_no_more_is_remembered_than_is_needed() -> None:
    series: dict[str, Returns] = {}
    fed({"A": walk(1, 100), "B": walk(2, 100)}, series)
    assert [len(each.values) for each in series.values()] == [WINDOW + HOLE_MAX + 1] * 2


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.lists(st.sampled_from("ABAB-"), min_size=30, max_size=120))
def test_a_restart_at_any_bar_changes_nothing(seed: int, arrivals: list[str]) -> None:
    """`arrivals` says whose bar comes next; a dash lets a minute pass."""
    series: dict[str, Returns] = {}
    made, minutes, closes = (
        Correlations(series, GROUPS, CALENDARS, WINDOW, MINUTE),
        {"A": 0, "B": 0},
        {"A": d(100), "B": d(50)},
    )
    for step, symbol in enumerate(["A", "B"] * WINDOW + arrivals):
        if symbol == "-":
            minutes["A"] += 1
            continue
        minutes[symbol] += 1
        closes[symbol] += (below(2001, seed, symbol, step) - 1000) * closes[symbol] // 100_000
        made.add(bar(symbol, minutes[symbol], closes[symbol]))
        kept = msgspec.msgpack.decode(msgspec.msgpack.encode(series), type=dict[str, Returns])
        again = Correlations(kept, GROUPS, CALENDARS, WINDOW, MINUTE)
        for one, other in (("A", "B"), ("B", "A")):
            assert again.alike(one, 1, [(other, 1)]) == made.alike(one, 1, [(other, 1)])


# --- markets that close ---

BEGIN = 1_000_000 * MINUTE
EXCHANGE = Calendar("exchange", tuple((BEGIN + n * 24 * HOUR, BEGIN + n * 24 * HOUR + 15 * MINUTE) for n in range(5)))


def session_bars(symbol: str, closes: list[int]) -> list[Bar]:
    """A bar a minute, fifteen a session, one session a day."""
    starts = [opens + k * MINUTE for opens, _ in EXCHANGE.sessions for k in range(15)]
    return [Bar(symbol, at + MINUTE, at, MINUTE, c, c, c, c, d(1)) for at, c in zip(starts, closes, strict=False)]


def test_a_night_is_no_hole_and_its_return_is_one_like_any_other() -> None:
    calendars = {"A": EXCHANGE, "B": EXCHANGE, "C": Calendar()}
    made = Correlations({}, GROUPS, calendars, WINDOW, MINUTE)
    paths = {"A": walk(1, 40), "B": walk(2, 40)}
    for bars in zip(*(session_bars(symbol, closes) for symbol, closes in paths.items()), strict=True):
        for one in bars:
            made.add(one)
    squared = pearson_squared(returns(paths["A"]), returns(paths["B"])) * money.SCALE**2
    found = abs(between(made, "A", "B"))
    assert (found - 1) ** 2 < squared <= found**2


def test_symbols_of_different_hours_are_not_compared() -> None:
    calendars = {"A": EXCHANGE, "B": Calendar(), "C": EXCHANGE}
    made = Correlations({}, GROUPS, calendars, WINDOW, MINUTE)
    for symbol in ("A", "B"):
        for one in session_bars(symbol, walk(1, 60)):
            made.add(one)
    assert made.alike("A", 1, [("B", 1)]).stranger == "B"


def test_nor_are_symbols_of_two_exchanges_whose_trading_time_agrees() -> None:
    later = Calendar("later", tuple((opens + HOUR, closes + HOUR) for opens, closes in EXCHANGE.sessions))
    made = Correlations({}, GROUPS, {"A": EXCHANGE, "B": later, "C": EXCHANGE}, WINDOW, MINUTE)
    for one in session_bars("A", walk(1, 60)):
        made.add(one)
        made.add(msgspec.structs.replace(one, symbol="B", at_ns=one.at_ns + HOUR, start_ns=one.start_ns + HOUR))
        made.add(msgspec.structs.replace(one, symbol="C"))
    assert made.alike("A", 1, [("B", 1)]) == Alike(0, "", WINDOW - 1, "B")
    assert made.alike("A", 1, [("C", 1)]).twin == "C"


def test_a_bar_from_outside_the_hours_says_nothing() -> None:
    made = Correlations({}, GROUPS, dict.fromkeys(GROUPS, EXCHANGE), WINDOW, MINUTE)
    for symbol, wild in (("A", d(5)), ("B", d(500))):
        for number, one in enumerate(session_bars(symbol, walk(1, 45)), start=1):
            made.add(one)
            if number % 15 == 0:  # the session is over
                later = one.start_ns + HOUR
                made.add(Bar(symbol, later, later, MINUTE, wild, wild, wild, wild, d(1)))
    assert between(made, "A", "B") == money.SCALE
