"""The volatility index a desk reads: a file of daily closes or timed values, or a series generated from a seed.

A value is known from the moment it stands for, and never earlier: a day's close once the day is over, at the next
midnight UTC. `VolatilityReader` brings the values to the core as the desk's market time passes.
"""

import csv
import gzip
import io
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from engine.core import money
from engine.core.clean import clean
from engine.core.config import DAY
from engine.core.draw import below
from engine.core.events import AnyEvent, VolatilityRead
from engine.session.errors import SessionError

GENERATED: Final = "generated"
TIME_COLUMNS: Final = ("date", "timestamp")
LEVEL_COLUMNS: Final = ("close", "value", "vix")
LEVEL_MAX: Final = 1_000 * money.SCALE  # more is no index level but a column of something else
FILE_BYTES_MAX: Final = 64_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BadIndex(SessionError):
    """A file of index values cannot be used: the message names file, line and column."""


class Reading(NamedTuple):
    """One value: the moment it stands for, from which on it is known, and the level in scaled index points."""

    of_ns: int
    level: int


class VolatilityIndex(Protocol):
    """A series of values in time. `simulated` ones say nothing about a real market."""

    @property
    def source(self) -> str: ...

    @property
    def simulated(self) -> bool: ...

    def newest(self, now_ns: int) -> Reading | None:
        """The newest value known at `now_ns`."""

    def next_ns(self, now_ns: int) -> int:
        """When the next value after `now_ns` becomes known; 0: none will."""

    def refresh(self) -> bool:
        """Look whether what lies behind the index has changed, and take it; True if so. May raise BadIndex."""


class VolatilityReader:
    """Brings one index (None: there is none) to a desk, each value when it becomes known.

    Attributes:
        due_ns: When the next value becomes known; 0: none will, or nothing has been read yet.
    """

    def __init__(self, index: VolatilityIndex | None) -> None:
        self._index = index
        self._told_ns = 0  # the moment the newest value told stands for
        self.due_ns = 0

    def read(self, now_ns: int) -> VolatilityRead | None:
        """The newest value as of now; None where there is none."""
        if self._index is None:
            return None
        found = self._index.newest(now_ns)
        self._told_ns = found.of_ns if found else 0
        self.due_ns = self._index.next_ns(self._told_ns)
        if found is None:
            return None
        return VolatilityRead(now_ns, found.level, found.of_ns, self._index.source, self._index.simulated)

    def refresh(self) -> None:
        """Take what has been added to the index since, which may be due at once. Raises BadIndex."""
        if self._index is not None and self._index.refresh():
            self.due_ns = self._index.next_ns(self._told_ns)

    def among(self, events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
        """`events` with every value that becomes known by their times, each before the first event after it."""
        if not self.due_ns or not events or events[-1].at_ns < self.due_ns:
            return events
        mixed: list[AnyEvent] = []
        for event in events:
            while 0 < self.due_ns <= event.at_ns:
                read = self.read(self.due_ns)
                mixed += [read] if read else []
            mixed.append(event)
        return mixed


class GeneratedIndex:
    """A daily index that returns to its mean, now and then in a crisis: a pure function of seed and day, in integers.

    A day's shock is the bit count of a keyed hash (mean 32, deviation 4). The shocks of `MEMORY` days, each worth 95 %
    of the one after it, make a sum with a deviation of about 12.8; bent upwards it spends some 37 % of days below 15
    points, 29 % up to 20, 27 % up to 30 and 7 % above.
    """

    MEMORY: Final = 90
    simulated: Final = True
    source: Final = GENERATED

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def newest(self, now_ns: int) -> Reading | None:
        day = now_ns // DAY
        return Reading(day * DAY, self.level(day - 1))

    def next_ns(self, now_ns: int) -> int:
        return (now_ns // DAY + 1) * DAY

    def refresh(self) -> bool:
        return False

    def level(self, day: int) -> int:
        """The close of a day (days since 1970), to a hundredth of a point."""
        weight, total = 1_000_000, 0
        for back in range(self.MEMORY):
            total += weight * (below(1 << 64, self._seed, "volatility", day - back).bit_count() - 32)
            weight = weight * 95 // 100
        bent = max(0, total * 10_000 // 1_281 + 210_000_000)  # deviations above -2.1, scaled
        return (10 * money.SCALE + money.mul(160_000_000, money.mul(bent, bent))) // 1_000_000 * 1_000_000


class FileIndex:
    """The values of a CSV file (`.gz`: compressed) with a header: `date` or `timestamp`, and `close`, `value` or `vix`.

    A date is a day's close, a timestamp (ISO 8601, UTC unless it says) a value of that moment; both rise row by row.
    Raises BadIndex, also from `refresh`, naming file, line and column of the first thing wrong; what was read before
    then stays.
    """

    simulated: Final = False

    def __init__(self, path: Path) -> None:
        self._path = path.expanduser().absolute()
        self.source = f"file:{clean(self._path.name, 60)}"
        self._stamp: tuple[int, int] | None = (0, 0)  # None: there is no such file
        self.refresh()

    def refresh(self) -> bool:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return False
        self._stamp = stamp  # what is wrong is told once, and looked at again when it changes
        self._readings = _read(self._path)
        self._times = [reading.of_ns for reading in self._readings]
        return True

    def newest(self, now_ns: int) -> Reading | None:
        at = bisect_right(self._times, now_ns)
        return self._readings[at - 1] if at else None

    def next_ns(self, now_ns: int) -> int:
        at = bisect_right(self._times, now_ns)
        return self._times[at] if at < len(self._times) else 0


def index_of(setting: str, seed: int, *, generated_market: bool) -> VolatilityIndex | None:
    """The index a setting names: `auto`, `none`, `generated`, or a path. `auto` goes with the market.

    Raises:
        BadIndex: the file cannot be used.
    """
    if setting == "none" or (setting == "auto" and not generated_market):
        return None
    return GeneratedIndex(seed) if setting in ("auto", GENERATED) else FileIndex(Path(setting))


def _stamp(path: Path) -> tuple[int, int] | None:
    """When a file was written, and its size: another file has another, and none has none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _read(path: Path) -> list[Reading]:
    rows = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        when, what = _column(path, header, TIME_COLUMNS), _column(path, header, LEVEL_COLUMNS)
        readings = _readings(path, header, rows, when, what)
    except csv.Error as broken:
        raise BadIndex(f"{path}:{rows.line_num}: {broken}") from broken
    if not readings:
        raise BadIndex(f"{path}: holds no value")
    return readings


def _readings(path: Path, header: list[str], rows: Iterable[list[str]], when: int, what: int) -> list[Reading]:
    readings: list[Reading] = []
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        place = f"{path}:{line}"
        if len(row) != len(header):
            raise BadIndex(f"{place}: {len(row)} columns, the header has {len(header)}")
        try:
            of_ns = _closed_ns(row[when]) if header[when] == "date" else _moment_ns(row[when])
        except (ValueError, OverflowError):
            form = "a date like 2026-01-31" if header[when] == "date" else "a time like 2026-01-31T21:15:00Z"
            raise BadIndex(f"{place}: {header[when]} = {clean(row[when], 40)!r}: must be {form}") from None
        if readings and of_ns <= readings[-1].of_ns:
            raise BadIndex(f"{place}: {header[when]} = {clean(row[when], 40)!r}: must be later than the row before")
        readings.append(Reading(of_ns, _level(f"{place}: {header[what]}", row[what])))
    return readings


def _text(path: Path) -> str:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        if len(raw) > FILE_BYTES_MAX:
            raise BadIndex(f"{path}: is larger than {FILE_BYTES_MAX} bytes")
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        raise BadIndex(f"{path}: is not UTF-8 text") from broken
    except (EOFError, zlib.error) as broken:
        raise BadIndex(f"{path}: its compressed data is damaged: {broken}") from broken
    except OSError as broken:  # also what gzip says of a file that is none
        raise BadIndex(f"{path}: cannot be read: {broken.strerror or broken}") from broken


def _column(path: Path, header: list[str], names: Sequence[str]) -> int:
    found = [header.index(name) for name in names if name in header]
    if not found:
        raise BadIndex(f"{path}:1: the header has no column {' or '.join(names)}")
    return found[0]


def _closed_ns(raw: str) -> int:
    """The end of a day."""
    day = date.fromisoformat(raw.strip())
    return (day.toordinal() - _EPOCH.toordinal() + 1) * DAY


def _moment_ns(raw: str) -> int:
    moment = datetime.fromisoformat(raw.strip())
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _level(place: str, raw: str) -> int:
    try:
        level = money.parse(raw.strip())
    except money.NotExact:
        level = 0
    if not 0 < level <= LEVEL_MAX:
        raise BadIndex(f"{place} = {clean(raw, 40)!r}: must be a plain decimal above zero, at most 1000")
    return level
