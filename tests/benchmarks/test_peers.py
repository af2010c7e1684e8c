"""The comparison with other programs: what the job must give, and that Nightdesk's part of it gives that."""

import sys
from pathlib import Path

from benchmarks.peers import nightdesk
from benchmarks.peers.__main__ import disagreement, table
from benchmarks.peers.job import FAST, SLOW, Task
from benchmarks.peers.sitting import Program, Run, version
from benchmarks.peers.ticks import read, round_trips, write
from benchmarks.replay import hours_of_ticks
from engine.core.events import Quote

HOURS = 3


def told(seconds: float, trades: list[int]) -> dict[str, object]:
    return {"ticks": 1000, "seconds": seconds, "cpu_seconds": seconds / 500, "peak_mb": 10.0, "trades": trades}


def test_a_round_trip_is_a_cross_above_and_the_cross_back() -> None:
    flat, up, down = [100] * SLOW, [110] * FAST, [90] * SLOW
    assert round_trips(flat + up) == 0  # still open
    assert round_trips(flat + up + down) == 1
    assert round_trips(up + down) == 0  # above from the first bar on: nothing crossed
    assert round_trips(flat + up + down + up + down) == 2


def test_the_ticks_file_holds_the_quotes_of_the_replay(tmp_path: Path) -> None:
    write(tmp_path / "ticks", 1)
    quotes = [event for event in next(hours_of_ticks(1)) if isinstance(event, Quote)]
    assert list(read(tmp_path / "ticks", 1)) == [quotes]


def test_the_desk_makes_the_trades_the_prices_give(tmp_path: Path) -> None:
    closes = write(tmp_path / "ticks", HOURS)
    expected = [round_trips(each[:-1]) for each in closes]
    assert sum(expected) > 20
    assert nightdesk.run(Task(tmp_path / "ticks", HOURS, "")).trades == expected
    assert sum(nightdesk.run(Task(tmp_path / "ticks", HOURS, "shipped")).trades) < sum(expected)


def test_a_package_that_is_not_there_has_no_version() -> None:
    assert version(Path(sys.executable), "no-such-package-of-ours") == ""
    assert version(Path("/no/such/python"), "msgspec") == ""
    assert version(Path(sys.executable), "msgspec") != ""


def test_programs_that_trade_otherwise_are_named() -> None:
    runs = [Run("a", 1, told(1, [95]), 0, 0), Run("b", 1, told(1, [94]), 0, 0)]
    assert disagreement(Program("a", "m"), runs, [60, 40]) == []
    assert disagreement(Program("b", "m"), runs, [60, 40]) == ["b: 94 round trips, the prices give 100"]


def test_the_table_gives_medians_and_ratios_to_the_first() -> None:
    runs = [Run("a", n, told(s, [3]), 0, 0.2) for n, s in enumerate((1, 2, 10))]
    runs += [Run("b", n, told(1, [3]), 0, 0.1) for n in range(3)]
    rows = table([Program("a", "m"), Program("b", "m")], runs).splitlines()[2:]
    assert rows[0] == "| a | 1,000 | 500 | 100 to 1,000 | 1 | 4 µs | 1 | 10 MB | 3 | 0.20 |"
    assert rows[1] == "| b | 1,000 | 1,000 | 1,000 to 1,000 | 2 | 2 µs | 2 | 10 MB | 3 | 0.10 |"
