"""Why the last start came to nothing: kept beside the desk for whoever looks later, until another start is tried.

Most of what can go wrong at a start does so before there is a run with a journal, a folder and a report.
"""

import contextlib

import msgspec

from engine.review.moments import instant
from engine.session.files import replace_file
from engine.session.home import Home


class FailedStart(msgspec.Struct, frozen=True):
    """When a start failed (UTC), and why."""

    at: str
    text: str


def keep_failed_start(home: Home, at_ns: int, text: str) -> None:
    """Remember a failed start. On a full disk it is only said."""
    with contextlib.suppress(OSError):
        replace_file(home.failed_start, msgspec.json.encode(FailedStart(instant(at_ns) or "", text)))


def forget_failed_start(home: Home) -> None:
    """Another start is tried."""
    with contextlib.suppress(OSError):
        home.failed_start.unlink(missing_ok=True)


def failed_start(home: Home) -> FailedStart | None:
    """How the last start failed; None: it did not, or nobody can say."""
    try:
        return msgspec.json.decode(home.failed_start.read_bytes(), type=FailedStart)
    except (OSError, msgspec.MsgspecError):
        return None
