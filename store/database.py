"""The file `desk.db`: created with its env, opened only as what it is, and only in good health.

One connection writes (`open_writer`); any number read through `mode=ro` (`open_reader`) without ever blocking it.
The settings below are set and read back: a setting SQLite silently ignored would be a promise not kept.
"""

import contextlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from store import migrations
from store.errors import Damaged, NewerSchema, StoreError, Unwritable, WrongEnv, translated

BUSY_MS: Final = 5_000
WAL_BYTES_MAX: Final = 64 * 1024 * 1024
# Below this version two connections that write or checkpoint can corrupt a WAL database; the desk has only one.
SQLITE_FIXED: Final = (3, 51, 3)

# Their locks, and the memory a WAL is shared through, do not reach from one machine to the other.
NETWORK: Final = frozenset(
    {"afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
)

_MAC_ONLY: Final[dict[str, int | str]] = {"fullfsync": 1, "checkpoint_fullfsync": 1}
_PRAGMAS: Final[dict[str, int | str]] = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: an acknowledged commit survives a power cut
    "foreign_keys": 1,
    "busy_timeout": BUSY_MS,
    "wal_autocheckpoint": 1_000,
    "journal_size_limit": WAL_BYTES_MAX,
    "cell_size_check": 1,
    "trusted_schema": 0,
    "mmap_size": 0,
    "temp_store": 2,  # MEMORY
    "recursive_triggers": 1,  # so that REPLACE cannot get around the triggers of the journal
    **(_MAC_ONLY if sys.platform == "darwin" else {}),
}


def sqlite_is_fixed() -> bool:
    """False when the linked SQLite has the WAL-reset bug; then nothing but the desk may write the file."""
    return sqlite3.sqlite_version_info >= SQLITE_FIXED


def sqlite_version() -> str:
    """The version of the linked SQLite."""
    return sqlite3.sqlite_version


def open_writer(path: Path, env: str, now_ns: int) -> sqlite3.Connection:
    """The writing connection to `path`, in autocommit; creates the database for `env` where there is none.

    Raises:
        WrongEnv, NewerSchema: it is another desk's, or another program's; the file is left untouched.
        Damaged: it fails SQLite's quick check or is no database of ours.
        Unwritable, DiskFull: it cannot be opened or written, or lies on a network file system.
    """
    with translating(path):
        _refuse_network(path)
        is_new = _create(path)
        connection = sqlite3.connect(
            path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            version = 0 if is_new else _identified(connection, path, env)
            for name, wanted in _PRAGMAS.items():
                _set(connection, name, wanted)
            if 0 < version < migrations.known_version():
                _keep_copy(connection, path, version)
            migrations.apply(connection, env, now_ns)
            if version < migrations.known_version():
                # The file itself says whose it is from the first moment: a desk whose WAL was deleted is no new desk.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that can only read. Keep its queries short: a reader left open keeps the WAL from shrinking.

    Raises:
        Unwritable: there is no such file, or it may not be read.
    """
    with translating(path):
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_MS / 1000, isolation_level=None
        )
        connection.execute("PRAGMA query_only = 1")
        return connection


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A reading connection for as long as the block lasts; what SQLite raises in it leaves in the store's words."""
    connection = open_reader(path)
    try:
        with translating(path):
            yield connection
    finally:
        connection.close()


def stamped_env(path: Path) -> str:
    """The env a database was created for; the console's colour comes from here."""
    with reading(path) as connection:
        return str(connection.execute("SELECT env FROM desk").fetchone()[0])


def quick_check(connection: sqlite3.Connection, path: Path) -> None:
    """SQLite's own check of the file's structure. Raises Damaged with its first finding."""
    (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if finding != "ok":
        raise Damaged(f"{path}: {finding}")


@contextmanager
def translating(path: Path) -> Iterator[None]:
    """Let what SQLite and the system raise about `path` leave in the store's words."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, str(path)) from error
    except OSError as error:
        raise Unwritable(f"{path}: {error.strerror or error}") from error


def holds_desk(path: Path) -> bool:
    """True if there is anything in `path`: an empty file is what a crash before the first commit leaves."""
    return path.exists() and path.stat().st_size > 0


def sync_file(path: Path) -> None:
    """Make a file's content and its name durable."""
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refuse_network(path: Path) -> None:
    """What cannot be told is let through: a system without a table of mounts has its files all the same."""
    place = path.resolve()
    with contextlib.suppress(OSError):
        mounts = [m for m in psutil.disk_partitions(all=True) if place.is_relative_to(m.mountpoint)]
        innermost = max(mounts, key=lambda mount: len(mount.mountpoint), default=None)
        if innermost is not None and innermost.fstype in NETWORK:
            raise Unwritable(
                f"{path} is on a network file system ({innermost.fstype} at {innermost.mountpoint}), where no commit "
                "can be relied on; give the desk a folder of this machine with --home DIR"
            )


def _create(path: Path) -> bool:
    """Make the file, readable by its owner only, before SQLite can; True if there was nothing in it."""
    if holds_desk(path):
        return False
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        sync_file(path)
    wal = path.with_name(path.name + "-wal")
    return not holds_desk(wal)


def _identified(connection: sqlite3.Connection, path: Path, env: str) -> int:
    """As `_identify`; that one of its plain questions cannot even be asked means that the file is damaged."""
    try:
        return _identify(connection, path, env)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            raise Damaged(f"{path}: {error}") from error
        raise


def _identify(connection: sqlite3.Connection, path: Path, env: str) -> int:
    """The schema version of a database that is ours, healthy, of `env` and not from the future."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not tables and not version:
        return 0
    if application_id != migrations.APPLICATION_ID:
        raise Damaged(f"{path} is not a Nightdesk database (application id {application_id:#x})")
    if version > migrations.known_version():
        raise NewerSchema(path, version, migrations.known_version())
    stamp = connection.execute("SELECT env FROM desk").fetchone()
    if stamp is None:
        raise Damaged(f"{path} has lost its stamp")
    if stamp[0] != env:
        raise WrongEnv(path, stamp[0], env)
    quick_check(connection, path)
    return int(version)


def _set(connection: sqlite3.Connection, name: str, wanted: int | str) -> None:
    connection.execute(f"PRAGMA {name} = {wanted}").fetchall()
    row = connection.execute(f"PRAGMA {name}").fetchone()
    # A build without memory mapping answers mmap_size with no row at all, which is what we want of it.
    is_taken = row == (wanted,) or (row is None and name == "mmap_size")
    if not is_taken:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} did not take {name} = {wanted}; it answered {row}")


def _keep_copy(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Copy the database aside before its schema changes: the way back is this copy."""
    copy = path.with_name(f"{path.name}.schema-{version}")
    copy_database(connection, copy)


def copy_database(source: sqlite3.Connection, target: Path) -> None:
    """A complete, checked, durable copy of `source` under the name `target`, which appears at once or not at all.

    Raises:
        Damaged: the copy fails SQLite's quick check; `target` keeps what it held.
    """
    unfinished = target.with_name(target.name + ".unfinished")
    _discard(unfinished)
    try:
        _copy(source, unfinished)
        sync_file(unfinished)
        unfinished.replace(target)
    except BaseException:
        _discard(unfinished)  # on a full disk its space is needed more than anything
        raise
    sync_file(target)


def _copy(source: sqlite3.Connection, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    copy = sqlite3.connect(target, isolation_level=None)
    try:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, complete by itself
        quick_check(copy, target)
    finally:
        copy.close()


def _discard(unfinished: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        unfinished.with_name(unfinished.name + suffix).unlink(missing_ok=True)
