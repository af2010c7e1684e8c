"""What makes two errors the same one: their class, the place, and the text without what differs each time."""

import re
from typing import Final

from engine.core.clean import clean
from engine.venues.errors import VenueError, treatment

LENGTH_MAX: Final = 160
UNCLASSED: Final = "error"

_ID: Final = re.compile(r"\b\d{8}-\d{6}\w?(?:-\d+)*\b|\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}\b", re.I)
_NUMBER: Final = re.compile(r"(?<![A-Za-z_])[-+]?\d+(?:[.,:]\d+)*")


def fingerprint(where: str, text: str, error: BaseException | None = None) -> str:
    """`<class> at <where>: <text>`, ids as `@` and numbers as `#`; at most 160 characters, safe to show.

    The class is the venue's where the error is one of a venue's, else the exception's own; `error` without one.
    """
    return clean(f"{class_of(error)} at {where}: {_NUMBER.sub('#', _ID.sub('@', clean(text)))}", LENGTH_MAX)


def class_of(error: BaseException | None) -> str:
    """The class of an error, in a few words."""
    if error is None:
        return UNCLASSED
    return treatment(error).name if isinstance(error, VenueError) else type(error).__name__
