"""What `nightdesk doctor --fix` puts right: folders, who may read them, and a lock nobody holds.

It never touches what a file says, and deletes nothing but what `nightdesk clean` would.
"""

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path

from console.commands.clean import clear
from engine.session.home import Home
from engine.session.lock import AlreadyRunning, holder
from store.heads import heads_path
from store.keys import PRIVATE, keys_folder


def mend(home: Home) -> Iterator[str]:
    """Put right what can be, and say each. Raises HomeRefused where a folder cannot be had."""
    folders = (home.dir, home.logs, home.artifacts, home.runs)
    missing = [path for path in folders if not path.exists()]
    opened = [path for path in folders if path not in missing and is_open(path)]
    home.create()
    yield from (f"made {path}" for path in missing)
    for path in (*opened, *open_files(home)):
        mode = 0o700 if path.is_dir() else 0o600
        path.chmod(mode)
        yield f"closed {path} to others (mode {mode:o})"
    if home.lock.exists() and holder(home.lock) is None:
        with contextlib.suppress(AlreadyRunning):  # a desk has started meanwhile: the lock is its own
            yield from (f"removed {path}, left by a desk that died" for path, _ in clear(home))


def open_files(home: Home) -> list[Path]:
    """What holds the books, the key or the lock and can be read by others."""
    keys = keys_folder(home.database)
    books = (home.database, *(home.database.with_name(f"{home.database.name}-{part}") for part in ("wal", "shm")))
    private = (*books, home.backup, heads_path(home.database), home.emergency, home.lock, keys, keys / PRIVATE)
    return [path for path in private if path.exists() and is_open(path)]


def is_open(path: Path) -> bool:
    """True if anyone but its owner has any right to it."""
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
