"""The schema's history: numbered SQL files, each applied once, in one transaction with the record that it ran."""

import sqlite3
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "sql"
APPLICATION_ID: Final = 0x4E44534B  # "NDSK", in the file's header


def known_version() -> int:
    """The newest schema version this program has."""
    return len(_scripts())


def apply(connection: sqlite3.Connection, env: str, now_ns: int) -> None:
    """Bring the schema up to date, one transaction a step; the first also stamps the file with `env`, for ever."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, script in enumerate(_scripts(), start=1):
        if number > version:
            _apply_one(connection, number, script, env, now_ns)


def _apply_one(connection: sqlite3.Connection, number: int, script: Path, env: str, now_ns: int) -> None:
    try:
        # executescript would commit first; with its own BEGIN the script, the stamp and the record are one transaction.
        connection.executescript("BEGIN IMMEDIATE;\n" + script.read_text(encoding="utf-8"))
        if number == 1:
            connection.execute("INSERT INTO desk VALUES (1, ?, ?, ?)", (env, f"{env}-{now_ns}", now_ns))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("INSERT INTO migrations VALUES (?, ?, ?)", (number, script.stem, now_ns))
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _scripts() -> list[Path]:
    """The files in order. Their numbers run 1, 2, 3 …; a hole is a packaging error."""
    scripts = sorted(_FOLDER.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    if not scripts or [int(script.name[:4]) for script in scripts] != list(range(1, len(scripts) + 1)):
        raise RuntimeError(f"the schema files in {_FOLDER} are not complete")
    return scripts
