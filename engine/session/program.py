"""The program a desk runs: its own files, and the libraries it was meant to run with.

A process goes on with what it has loaded. But its children, every command and the next start load what lies there now,
so a file that was replaced meanwhile is told; and a library of another version than the pinned one was not tried.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LOCK: Final = ROOT / "requirements.lock"
PACKAGES: Final = ("console", "engine", "store")
SUFFIXES: Final = frozenset({".py", ".sql", ".tcss"})
_NAMED_MAX: Final = 3
_PIN: Final = re.compile(r"(?m)^([A-Za-z0-9_.-]+)==([^\s\\;]+)")

Stamp = tuple[int, int, int]


class Program:
    """The program's files as they are now, `others` (of strategies that come from elsewhere) among them.

    Attributes:
        fingerprint: Hash over all names and contents: the same files, the same program.
    """

    def __init__(self, root: Path = ROOT, others: Sequence[Path] = ()) -> None:
        self._root = root
        self._others = tuple(others)
        self._stamps: dict[Path, Stamp] = {}
        self._hashes = self._read({})
        self._first = self._hashes
        whole = sha256()
        for path, content in sorted(self._first.items()):
            whole.update(self._name(path).encode() + b"\0" + content)
        self.fingerprint = whole.hexdigest()

    def replaced(self) -> tuple[str, ...]:
        """The files that are other ones than at first, gone, or new; reads only those whose size or time differs."""
        self._hashes = self._read(self._hashes)
        both = self._first.keys() | self._hashes.keys()
        return tuple(sorted(self._name(path) for path in both if self._first.get(path) != self._hashes.get(path)))

    def _read(self, known: dict[Path, bytes]) -> dict[Path, bytes]:
        """The hash of every file; of one that has not been touched since the last time, the known one."""
        before, self._stamps, found = self._stamps, {}, {}
        for path in self._files():
            try:
                info = path.stat()
                stamp = info.st_size, info.st_mtime_ns, info.st_ino
                is_known = before.get(path) == stamp and path in known
                found[path] = known[path] if is_known else sha256(path.read_bytes()).digest()
            except OSError:  # gone in this moment, or not to be read: not what it was
                continue
            self._stamps[path] = stamp
        return found

    def _files(self) -> Iterator[Path]:
        for package in PACKAGES:
            yield from (path for path in (self._root / package).rglob("*") if path.suffix in SUFFIXES)
        yield from self._others

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else str(path)


def replaced_text(names: Sequence[str]) -> str:
    """That files were replaced, in a sentence."""
    more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
    return (
        f"the program was replaced while it runs ({', '.join(names[:_NAMED_MAX])}{more}): it goes on with what it has "
        "loaded; start it again when it suits"
    )


def installed() -> dict[str, str]:
    """The version of every library that can be imported, by its normalized name.

    By the names of their folders, which the standard prescribes: reading what each says of itself takes a hundred times
    as long.
    """
    found: dict[str, str] = {}
    for folder in sys.path:
        for path in Path(folder or ".").glob("*.dist-info"):
            name, _, version = path.name.removesuffix(".dist-info").rpartition("-")
            found.setdefault(_normal(name), version)
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def unpinned(lock: Path = LOCK, there: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The libraries of another version than `lock` pins, a sentence each; without a lock nothing is known of any.

    One that is not there at all belongs to another platform, or fails where it is needed. `there`: by normalized name,
    what is installed; default: what is.
    """
    there = installed() if there is None else there
    try:
        pins = _PIN.findall(lock.read_text())
    except OSError:
        return ()
    found = [(name, pinned, there.get(_normal(name))) for name, pinned in pins]
    return tuple(
        f"{name} is version {version}, and {pinned} is what the program was tried with: make setup"
        for name, pinned, version in found
        if version not in (None, pinned)
    )
