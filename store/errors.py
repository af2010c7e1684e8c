"""What can go wrong with the desk's memory, in words an operator can act on.

StoreError
├── Damaged           the file is no longer what was written; stop, restore
├── WrongEnv          a paper file was opened as live, or the reverse
├── NewerSchema       the file was written by a newer program
├── Unwritable        no permission, no such folder, an input/output error, another writer
│   └── DiskFull      no space left
└── OutcomeUnknown    a batch may or may not be durable; only the file itself can tell
"""

import sqlite3
from pathlib import Path


class StoreError(Exception):
    """Base of everything the store raises."""


class Damaged(StoreError):
    """The database, or a part of it, is not what was written."""


class WrongEnv(StoreError):
    """The database belongs to the other environment."""

    def __init__(self, path: Path, found: str, wanted: str) -> None:
        super().__init__(f"{path} is a {found} database and was opened as {wanted}")
        self.found = found
        self.wanted = wanted


class NewerSchema(StoreError):
    """The database was written by a newer program; this one would lose what it does not know."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(f"{path} has schema version {found}; this program knows versions up to {known}. Upgrade it.")
        self.found = found
        self.known = known


class Unwritable(StoreError):
    """The database cannot be opened or written here and now."""


class DiskFull(Unwritable):
    """No space is left for the database; free some, then start again."""


class OutcomeUnknown(StoreError):
    """A batch was handed over and its commit did not end well: it may be durable or not. Rebuild from the file."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"the outcome of a journal write is unknown: {cause}")
        self.cause = cause


def translated(error: sqlite3.Error, what: str) -> StoreError:
    """The store's word for an SQLite error; `what` names the file or the act."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    message = f"{what}: {error} ({name})"
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Damaged(message)
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(message)
    if code in _UNWRITABLE:
        return Unwritable(message)
    return StoreError(message)


_UNWRITABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOLFS,
    }
)
