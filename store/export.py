"""The desk's record as files for other programs: CSV, JSON lines or Parquet, a file a table, with their schema.

Every table of the database is written, the blocks of market data on demand as well; what is left out is named. A file
appears under its name when it is whole. The desk may run meanwhile: all tables are of one moment.
"""

import hashlib
import json
import os
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import msgspec

from engine.core import money
from engine.session.files import replace_file
from store import blocks
from store.chain import newest_anchor, stamp
from store.database import reading, sync_file
from store.errors import StoreError
from store.parquet import require_duckdb, write_parquet

Format = Literal["csv", "jsonl", "parquet"]
INPUTS: Final = "inputs"
SCHEMA: Final = "schema.json"
LEFT_OUT: Final = {
    "snapshots": "states of the core, which the journal gives again",
    "migrations": "the history of the database's own form",
}
PAGE: Final = 500
FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")
"""A text cell of a CSV file that begins with one of these, or with ', gets a ' in front: a spreadsheet would run it."""

_DECIMALS: Final = frozenset(
    {
        *(
            "amount",
            "average_price",
            "before",
            "cash",
            "cost",
            "drawdown",
            "ended_pnl",
            "entry",
            "entry_price",
            "equity",
        ),
        *("equity_optimistic", "equity_pessimistic", "exit_price", "expected", "exposure", "fee", "fees", "filled_qty"),
        *(
            "funding",
            "heat",
            "heat_limit",
            "heat_limit_before",
            "level",
            "limit_value",
            "loss",
            "margin",
            "mark",
            "pnl",
        ),
        *("opening_equity", "position_qty", "previous_level", "price", "qty", "rate", "realized", "rise", "slippage"),
        *("starting_equity", "stop", "stop_price", "target", "unrealized", "value", "volatility"),
    }
)
_NO_DECIMALS: Final = frozenset({("operator_acts", "before")})


class ExportFailed(StoreError):
    """The export could not be made as asked."""


class Column(msgspec.Struct, frozen=True):
    """`type`: integer, decimal (exact, text in JSON), text, hex or base64; `name` ending in _ns: nanoseconds UTC."""

    name: str
    type: Literal["integer", "decimal", "text", "hex", "base64"]
    nullable: bool


class Table(msgspec.Struct, frozen=True):
    """One written file."""

    name: str
    file: str
    rows: int
    sha256: str
    columns: Sequence[Column]


class Exported(msgspec.Struct, frozen=True):
    """What was written, as `schema.json` has it. `head` is the hash of journal row `last_row`, the newest exported."""

    desk_id: str
    env: str
    format: Format
    last_row: int
    head: str
    tables: Sequence[Table]
    left_out: dict[str, str]
    nightdesk: str = "export 1"


Rows = Iterable[Sequence[Any]]


def export(database: Path, folder: Path, format_: Format, names: Sequence[str] = ()) -> Exported:
    """Write the named tables (none named: all but the inputs) and `schema.json` into `folder`, made if need be.

    Raises:
        ExportFailed: no such table, a row does not fit its column, or a file cannot be written; what was there stands.
        NoParquet: the library for it is missing.
        Unwritable: the database cannot be read.
    """
    with reading(database) as connection:
        connection.execute("BEGIN")  # one moment for all tables; the journal is read afterwards, up to its last row
        if format_ == "parquet":
            require_duckdb()
        tables = exportable(connection)
        wanted = list(names) or [name for name in tables if name != INPUTS]
        unknown = [name for name in wanted if name not in tables]
        if unknown:
            raise ExportFailed(f"there is no table {', '.join(unknown)}; there are {', '.join(tables)}")
        _make(folder)
        desk_id, env = stamp(connection)
        last = connection.execute("SELECT id, hash FROM journal ORDER BY id DESC LIMIT 1").fetchone() or (0, b"")
        paged = ("journal", INPUTS)
        written = [_write(folder, format_, _table(connection, name)) for name in wanted if name not in paged]
        connection.execute("ROLLBACK")
        written += [_write(folder, format_, _journal(connection, name, last[0])) for name in wanted if name in paged]
        anchor = newest_anchor(connection)
    left_out = LEFT_OUT | {name: "not asked for" for name in tables if name not in wanted}
    if anchor is not None:
        names_of = ", ".join(archive.name for archive in anchor.archives)
        left_out["journal and inputs, archived rows"] = f"rows up to {anchor.last_row} are in {names_of}"
    made = Exported(desk_id, env, format_, last[0], last[1].hex(), written, left_out)
    try:
        replace_file(folder / SCHEMA, msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
    except OSError as error:
        raise ExportFailed(f"{folder / SCHEMA}: {error.strerror or error}") from error
    return made


def exportable(connection: sqlite3.Connection) -> list[str]:
    """The tables there are, the inputs of the journal's blocks last."""
    rows = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
    )
    return [*(name for (name,) in rows if name not in LEFT_OUT), INPUTS]


# --- what is in a table ---


class _Source(msgspec.Struct, frozen=True):
    name: str
    columns: Sequence[Column]
    rows: Rows


def _table(connection: sqlite3.Connection, name: str) -> _Source:
    columns = _columns(connection, name)
    listed = ", ".join(f'"{column.name}"' for column in columns)
    order = next(column.name for column in columns)
    order = "row" if any(column.name == "row" for column in columns) else order
    return _Source(name, columns, connection.execute(f'SELECT {listed} FROM "{name}" ORDER BY "{order}"'))  # noqa: S608


def _columns(connection: sqlite3.Connection, name: str) -> list[Column]:
    """The columns as the schema declares them, computed ones included."""
    found = connection.execute(f'PRAGMA table_xinfo("{name}")').fetchall()
    types = [(column, _type(name, column, kind), bool(needed or key)) for _, column, kind, needed, _, key, _ in found]
    return [Column(column, kind, not needed or kind == "decimal") for column, kind, needed in types]


def _type(table: str, column: str, kind: str) -> Literal["integer", "decimal", "text", "hex"]:
    if kind == "INTEGER":
        return "integer"
    if kind == "BLOB":
        return "hex"
    is_decimal = column in _DECIMALS and (table, column) not in _NO_DECIMALS
    return "decimal" if is_decimal else "text"


def _journal(connection: sqlite3.Connection, name: str, last: int) -> _Source:
    """The journal's rows up to `last`, or the inputs of its blocks; read page by page, so that the desk is not held."""
    if name == INPUTS:
        columns = [
            *(Column("seq", "integer", False), Column("row", "integer", False), Column("run", "integer", False)),
            *(Column("type", "text", False), Column("at_ns", "integer", True), Column("symbol", "text", True)),
            Column("event", "text", False),
        ]
        return _Source(name, columns, _inputs(connection, last))
    return _Source(name, _columns(connection, name), _journal_rows(connection, last))


def _journal_rows(connection: sqlite3.Connection, last: int) -> Iterator[Sequence[Any]]:
    sql = "SELECT * FROM journal WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"
    before = None
    for values in _pages(connection, sql, last):
        if before is not None and values[0] != before + 1:
            raise ValueError(f"row {before + 1} went away meanwhile")
        before, body = values[0], values[8]
        yield (*values[:8], body if isinstance(body, str) else b64encode(body).decode(), values[9])


def _inputs(connection: sqlite3.Connection, last: int) -> Iterator[Sequence[Any]]:
    sql = "SELECT id, seq, run, body FROM journal WHERE id > ? AND id <= ? AND kind = 'block' ORDER BY id LIMIT ?"
    for row, seq, run, body in _pages(connection, sql, last):
        for number, event in enumerate(blocks.decode(body), start=seq):
            fields = msgspec.structs.asdict(event)
            told = msgspec.json.encode(fields).decode()
            yield number, row, run, type(event).__name__, fields.get("at_ns"), fields.get("symbol"), told


def _pages(connection: sqlite3.Connection, sql: str, last: int) -> Iterator[Sequence[Any]]:
    after = 0
    while page := connection.execute(sql, (after, last, PAGE)).fetchall():
        yield from page
        after = page[-1][0]


# --- a file ---


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ExportFailed(f"{folder}: {error.strerror or error}") from error


def _write(folder: Path, format_: Format, source: _Source) -> Table:
    """Write one table under another name, make it durable, and give it its own."""
    target = folder / f"{source.name}.{format_}"
    unfinished = folder / f".{target.name}.unfinished"
    try:
        with _open(unfinished) as file:
            count = _WRITERS[format_](file, source)
        if format_ == "parquet":
            write_parquet(unfinished, [(column.name, column.type) for column in source.columns], count)
        digest = _digest(unfinished)
        sync_file(unfinished)
        unfinished.replace(target)
    except OSError as error:
        raise ExportFailed(f"{target}: {error.strerror or error}") from error
    except ValueError as error:
        raise ExportFailed(f"{source.name}: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    sync_file(target)
    return Table(source.name, target.name, count, digest, source.columns)


def _open(path: Path) -> TextIO:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    return os.fdopen(handle, "w", encoding="utf-8", newline="")


def _write_csv(file: TextIO, source: _Source) -> int:
    """Texts in quotes, numbers bare, nothing at all for no value; lines end in a newline."""
    file.write(",".join(_quoted(column.name) for column in source.columns) + "\n")
    shown = [_CELLS[column.type] for column in source.columns]
    count = 0
    for values in source.rows:
        file.write(",".join("" if v is None else show(v) for show, v in zip(shown, values, strict=True)) + "\n")
        count += 1
    return count


def _write_jsonl(file: TextIO, source: _Source) -> int:
    names = [column.name for column in source.columns]
    shown = [_VALUES[column.type] for column in source.columns]
    count = 0
    for values in source.rows:
        told = {n: None if v is None else show(v) for n, show, v in zip(names, shown, values, strict=True)}
        file.write(json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n")
        count += 1
    return count


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text_cell(text: str) -> str:
    return _quoted(f"'{text}" if text.startswith((*FORMULA, "'")) else text)


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value!r} is no integer")
    return value


def _decimal(value: str) -> str | None:
    """A decimal text as it stands, checked; the empty text is no value."""
    if not value:
        return None
    money.parse(value)
    return value


_CELLS: Final[dict[str, Callable[[Any], str]]] = {
    "integer": lambda value: str(_integer(value)),
    "decimal": lambda value: _decimal(value) or "",
    "text": _text_cell,
    "base64": _text_cell,
    "hex": lambda value: _quoted(value.hex()),
}
_VALUES: Final[dict[str, Callable[[Any], object]]] = {
    "integer": _integer,
    "decimal": _decimal,
    "text": str,
    "base64": str,
    "hex": lambda value: value.hex(),
}
_WRITERS: Final[dict[Format, Callable[[TextIO, _Source], int]]] = {
    "csv": _write_csv,
    "jsonl": _write_jsonl,
    "parquet": _write_jsonl,  # turned into Parquet afterwards
}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
