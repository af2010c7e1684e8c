"""JSON lines turned into Parquet by DuckDB, an optional library: `pip install 'nightdesk[parquet]'`."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from store.errors import StoreError

_TYPES: Final = {
    "integer": "BIGINT",
    "decimal": "DECIMAL(38, 8)",
    "text": "VARCHAR",
    "base64": "VARCHAR",
    "hex": "VARCHAR",
}
_OBJECT_BYTES_MAX: Final = 256_000_000


class NoParquet(StoreError):
    """Parquet cannot be written here."""


def require_duckdb() -> ModuleType:
    """The library. Raises NoParquet, which says how to get it."""
    try:
        return import_module("duckdb")
    except ImportError as error:
        raise NoParquet(
            "Parquet needs the library duckdb: pip install 'nightdesk[parquet]', or take csv or jsonl"
        ) from error


def write_parquet(path: Path, columns: Sequence[tuple[str, str]], rows: int) -> None:
    """Put the JSON lines in `path` as Parquet in their place. `columns` are (name, type of the export).

    Raises:
        NoParquet: the library is missing or could not do it; `path` holds its JSON lines still.
    """
    duckdb = require_duckdb()
    made = path.with_name(path.name + ".made")
    types = ", ".join(f"'{name}': '{_TYPES[kind]}'" for name, kind in columns)
    options = f"format='newline_delimited', columns={{{types}}}, maximum_object_size={_OBJECT_BYTES_MAX}"
    read = f"read_json('{_escaped(path)}', {options})"
    try:
        with duckdb.connect() as connection:
            connection.execute(f"COPY (SELECT * FROM {read}) TO '{_escaped(made)}' (FORMAT parquet, COMPRESSION zstd)")  # noqa: S608
            (written,) = connection.execute(f"SELECT count(*) FROM read_parquet('{_escaped(made)}')").fetchone()  # noqa: S608
        if written != rows:
            raise NoParquet(f"{path.name}: {written} of {rows} rows came through")
        made.chmod(0o600)
        made.replace(path)
    except duckdb.Error as error:
        raise NoParquet(f"{path.name}: {error}") from error
    finally:
        made.unlink(missing_ok=True)


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
