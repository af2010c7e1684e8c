"""When a changed SQL text is the same statement: SQLite takes its words and names in upper and lower case alike."""

import re
from typing import Final

_BEGINS: Final = re.compile(
    r"\(?(AND|BEGIN|COMMIT|DELETE|FROM|INSERT|JOIN|ORDER BY|ROLLBACK|SELECT|UPDATE|WHERE|WITH)\b"
)
_KEPT: Final = re.compile(r"""('[^']*'|"[^"]*"|[:@$]\w+)""")  # quoted, or the name of a parameter


def is_same_sql(was: str, now: str) -> bool:
    """True if `was` is SQL, or a later piece of it, and `now` differs from it in nothing but the case of its words.

    What is quoted and the names of parameters have to be the very same. A quote that is open at the end of a piece
    leaves its other half to the next one, so such a piece is never taken for the same.
    """
    if not _BEGINS.match(was) or any(was.count(quote) % 2 for quote in "'\""):
        return False
    ours, theirs = _KEPT.split(was), _KEPT.split(now)
    return ours[1::2] == theirs[1::2] and [w.casefold() for w in ours[::2]] == [w.casefold() for w in theirs[::2]]
