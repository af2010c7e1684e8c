"""Where a generated market began: kept in a small file, so that a restart finds the market where it would have been."""

import os
from pathlib import Path

import msgspec


class UnusableAnchor(ValueError):
    """The anchor file is there and cannot be used; it is never overwritten for that."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A generated market is a function of these two and of venue time."""

    seed: int
    anchor_ns: int


def anchored(path: Path | None, seed: int | None, now_ns: int, default_seed: int) -> Anchor:
    """The anchor in `path`, or a new one at `now_ns`, which is then kept there.

    A `seed` that differs from the kept one asks for another market: the file is replaced. Without a path nothing is
    kept. Raises `UnusableAnchor`.
    """
    if path is None:
        return Anchor(default_seed if seed is None else seed, now_ns)
    kept = _read(path)
    if kept is not None and seed in (None, kept.seed):
        return kept
    fresh = Anchor(default_seed if seed is None else seed, now_ns)
    _write(path, fresh)
    return fresh


def _read(path: Path) -> Anchor | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Anchor)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise UnusableAnchor(path, str(error)) from error


def _write(path: Path, anchor: Anchor) -> None:
    """Replace the file whole, so that a crash leaves the old one or the new one."""
    draft = path.with_suffix(path.suffix + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(anchor))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise UnusableAnchor(path, str(error)) from error
