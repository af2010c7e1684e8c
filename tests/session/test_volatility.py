"""The volatility index: what a file may hold, when a value becomes known, and the generated series."""

import gzip
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.config import DAY, HOUR, RegimeModel
from engine.core.events import AnyEvent, VolatilityRead, Wake
from engine.core.money import parse
from engine.core.regimes import by_level
from engine.core.words import Regime
from engine.session.volatility import BadIndex, FileIndex, GeneratedIndex, VolatilityReader, index_of

SHARED = Path(os.environ.get("NIGHTDESK_SHARED", Path(__file__).parents[3] / "shared" / "data"))
VIX = SHARED / "vix" / "vix_daily_1990-2019.csv.gz"


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def written(folder: Path, text: str, name: str = "vix.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


DAILY = "date,open,high,low,close\n2025-01-02,18,19,17,17.93\n2025-01-03,17,18,16,16.13\n"


# --- files ---


@pytest.mark.parametrize("name", ["vix.csv", "vix.csv.gz"])
def test_a_close_is_known_from_the_next_midnight_and_not_a_moment_earlier(tmp_path: Path, name: str) -> None:
    index = FileIndex(written(tmp_path, DAILY, name))
    known = ns("2025-01-03")
    assert index.newest(known - 1) is None
    assert index.newest(known) == (known, parse("17.93"))
    assert index.newest(known + DAY - 1) == (known, parse("17.93"))
    assert index.newest(known + DAY) == (known + DAY, parse("16.13"))
    assert [index.next_ns(at) for at in (0, known, known + DAY)] == [known, known + DAY, 0]
    assert (index.source, index.simulated) == (f"file:{name}", False)


def test_a_timed_value_is_known_at_once(tmp_path: Path) -> None:
    index = FileIndex(written(tmp_path, "timestamp,vix\n2025-01-02T21:15:00Z,17\n2025-01-02T23:15:00+01:00,18\n"))
    assert index.newest(ns("2025-01-02T21:15:00")) == (ns("2025-01-02T21:15:00"), parse("17"))
    assert index.newest(ns("2025-01-02T22:15:00")) == (ns("2025-01-02T22:15:00"), parse("18"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: the header has no column date or timestamp"),
        ("day,close\n", ":1: the header has no column date or timestamp"),
        ("date,last\n", ":1: the header has no column close or value or vix"),
        ("date,close\n", "holds no value"),
        ("date,close\n2025-01-02,17\n2025-01-01,17\n", ":3: date = '2025-01-01': must be later than the row before"),
        ("date,close\n2025-01-02,17\n2025-01-02,17\n", ":3: date = '2025-01-02': must be later"),
        ("date,close\n02.01.2025,17\n", ":2: date = '02.01.2025': must be a date like"),
        ("timestamp,close\nyesterday,17\n", ":2: timestamp = 'yesterday': must be a time like"),
        ("date,close\n2025-01-02,17\n2025-01-03,n/a\n", ":3: close = 'n/a': must be a plain decimal above zero"),
        ("date,close\n2025-01-02,0\n", ":2: close = '0': must be"),
        ("date,close\n2025-01-02,-3\n", ":2: close = '-3': must be"),
        ("date,close\n2025-01-02,nan\n", ":2: close = 'nan': must be"),
        ("date,close\n2025-01-02,60000\n", ":2: close = '60000': must be a plain decimal above zero, at most 1000"),
        ("date,close\n2025-01-02\n", ":2: 1 columns, the header has 2"),
        ('date,close\n2025-01-02,"17\n', ":2: unexpected end of data"),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_column(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadIndex) as refused:
        FileIndex(path)
    assert str(path) in str(refused.value) and words in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("vix.csv", b"date,close\n\xff\xfe", "not UTF-8"),
        ("vix.csv.gz", b"date,close\n", "cannot be read"),
        ("vix.csv.gz", gzip.compress(DAILY.encode(), mtime=0)[:40], "is damaged"),
        ("vix.csv.gz", gzip.compress(DAILY.encode(), mtime=0)[:12] + b"\xff" * 60, "is damaged"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadIndex, match=words):
        FileIndex(tmp_path / name)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadIndex, match=r"nothing.csv: cannot be read: No such file"):
        FileIndex(tmp_path / "nothing.csv")


@pytest.mark.skipif(not VIX.exists(), reason=f"needs {VIX}")
def test_thirty_years_of_the_real_index_load() -> None:
    index = FileIndex(VIX)
    first = ns("1990-01-03")
    assert index.newest(first - 1) is None
    assert index.newest(first) == (first, parse("17.24"))
    assert index.newest(ns("2026-01-01")) == (ns("2020-01-01"), parse("13.78"))
    crash = index.newest(ns("2008-11-21"))
    assert crash is not None and by_level(crash.level, RegimeModel()) is Regime.CRISIS


# --- the generated series ---


def test_the_generated_index_is_a_pure_function_of_seed_and_day() -> None:
    first = [GeneratedIndex(7).level(day) for day in range(20_000, 20_050)]
    assert first == [GeneratedIndex(7).level(day) for day in range(20_000, 20_050)]
    assert first != [GeneratedIndex(8).level(day) for day in range(20_000, 20_050)]
    assert first[:3] == [parse("15.34"), parse("15.43"), parse("14.22")], "the same on every machine"


def test_the_generated_index_returns_to_its_mean_and_visits_every_regime() -> None:
    levels = [GeneratedIndex(7).level(day) for day in range(20_000, 23_650)]
    shares = Counter(by_level(level, RegimeModel()) for level in levels)
    assert set(shares) == {Regime.LOW, Regime.NORMAL, Regime.ELEVATED, Regime.CRISIS}
    assert all(count > 100 for count in shares.values()), shares
    assert parse("10") <= min(levels) and max(levels) < parse("90")
    assert parse("16") < sum(levels) // len(levels) < parse("22")


@given(st.integers(0, 2**63 - 1), st.integers(10_000, 40_000))
def test_any_seed_gives_levels_an_index_may_have(seed: int, day: int) -> None:
    assert parse("10") <= GeneratedIndex(seed).level(day) <= parse("200")


def test_the_close_of_a_generated_day_is_known_when_the_day_is_over() -> None:
    index = GeneratedIndex(7)
    found = index.newest(20_000 * DAY + HOUR)
    assert found == (20_000 * DAY, index.level(19_999))
    assert index.next_ns(20_000 * DAY) == 20_001 * DAY


# --- which index ---


@pytest.mark.parametrize(
    ("setting", "generated_market", "source"),
    [
        *(("auto", True, "generated"), ("auto", False, None), ("none", True, None)),
        *(("generated", False, "generated"), ("generated", True, "generated")),
    ],
)
def test_a_setting_names_an_index(setting: str, generated_market: bool, source: str | None) -> None:
    index = index_of(setting, 7, generated_market=generated_market)
    assert (index.source if index else None) == source


# --- reading as time passes ---


def test_values_come_in_between_the_events_at_the_moment_they_become_known(tmp_path: Path) -> None:
    reader = VolatilityReader(FileIndex(written(tmp_path, DAILY)))
    known = ns("2025-01-03")
    assert reader.read(known - HOUR) is None
    events: list[AnyEvent] = [Wake(known - 1), Wake(known), Wake(known + 2 * DAY)]
    mixed = reader.among(events)
    source = "file:vix.csv"
    assert mixed == [
        events[0],
        VolatilityRead(known, parse("17.93"), known, source, False),
        events[1],
        VolatilityRead(known + DAY, parse("16.13"), known + DAY, source, False),
        events[2],
    ]
    assert reader.due_ns == 0
    assert reader.among(events) is events


def test_without_an_index_nothing_is_ever_read() -> None:
    reader = VolatilityReader(None)
    events: list[AnyEvent] = [Wake(DAY)]
    assert reader.read(DAY) is None and reader.among(events) is events


def test_a_file_that_grows_brings_its_new_value_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, DAILY)
    reader = VolatilityReader(FileIndex(path))
    now = ns("2025-01-06T09:00:00")
    first = reader.read(now)
    assert first is not None and (first.level, reader.due_ns) == (parse("16.13"), 0)
    reader.refresh()
    assert reader.due_ns == 0, "nothing has changed"
    path.write_text(DAILY + "2025-01-05,17,18,16,31.5\n")
    reader.refresh()
    assert 0 < reader.due_ns <= now, "it is known already"
    second = reader.read(now)
    assert second is not None and (second.level, second.of_ns) == (parse("31.5"), ns("2025-01-06"))


def test_a_file_that_becomes_bad_is_told_once_and_the_old_values_count_on(tmp_path: Path) -> None:
    path = written(tmp_path, DAILY)
    reader = VolatilityReader(FileIndex(path))
    now = ns("2025-01-06")
    before = reader.read(now)
    path.write_text(DAILY + "2025-01-05,17,18\n")
    with pytest.raises(BadIndex, match=":4: 3 columns"):
        reader.refresh()
    reader.refresh()
    assert reader.read(now) == before
    path.unlink()
    with pytest.raises(BadIndex, match="No such file"):
        reader.refresh()
    reader.refresh()
    assert reader.read(now) == before
