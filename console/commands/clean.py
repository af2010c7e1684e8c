"""Removing what a desk that is off has left lying about and nothing needs: clean."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from console import say
from console.commands.where import Where
from console.exits import Exit
from engine.session.clock import WallClock
from engine.session.home import Home
from engine.session.lock import AlreadyRunning, DeskLock, Holder, holder

_UNFINISHED: Final = re.compile(r"\..+\.[0-9]+\.[0-9]+")  # a file that was to replace another, cut short


def clean(where: Where, *, dry_run: bool) -> Exit:
    """Remove what is left over, or say what would be; the desk must be off. Raises AlreadyRunning."""
    removed = _would(where.home) if dry_run else clear(where.home)
    paths = [str(path) for path, _ in removed]
    freed = sum(size for _, size in removed)
    verb = "would remove" if dry_run else "removed"
    text = "\n".join([*(f"{verb} {path}" for path in paths), f"{len(paths)} files, {freed} bytes"])
    answer = {"removed": [] if dry_run else paths, "would_remove": paths if dry_run else [], "bytes": freed}
    say.receipt(answer, text if paths else "nothing to remove", json_wanted=where.json)
    return Exit.DONE


def clear(home: Home) -> list[tuple[Path, int]]:
    """Remove what is left over, its lock held meanwhile: the files and their sizes. Raises AlreadyRunning."""
    if not home.dir.is_dir():
        return []
    found = [home.lock] if home.lock.exists() else []
    lock = DeskLock.acquire(home.lock, Holder(started_ns=WallClock().now_ns()))
    removed = []
    try:
        found += left_over(home)
        for path in found:
            size = path.lstat().st_size
            if path != home.lock:  # releasing it removes it
                path.unlink()
            removed.append((path, size))
    finally:
        lock.release()
    return removed


def left_over(home: Home) -> Iterator[Path]:
    """What a desk that died left behind beside its lock, as far as the next start makes it anew.

    Nothing else is ever named here: not books, journal archives, keys, heads, the emergency record, kill switch and
    latch, the nonces of signed commands, the built-in market's beginning, logs, artifacts or runs.
    """
    if home.socket.exists() and stat.S_ISSOCK(home.socket.lstat().st_mode):
        yield home.socket
    if home.ballast.is_file():
        yield home.ballast
    if (home.runs / ".latest").is_symlink():
        yield home.runs / ".latest"
    yield from (path for path in sorted(home.dir.iterdir()) if path.is_file() and _UNFINISHED.fullmatch(path.name))


def _would(home: Home) -> list[tuple[Path, int]]:
    if not home.dir.is_dir():
        return []
    running = holder(home.lock)
    if running is not None:
        raise AlreadyRunning(home.lock, running)
    found = [*([home.lock] if home.lock.exists() else []), *left_over(home)]
    return [(path, path.lstat().st_size) for path in found]
