"""The one function every string from outside passes before it reaches a screen or a log.

Venue texts, symbols and strategy names are data, and a terminal obeys data: an escape sequence in an error message can
rewrite the screen, a bidirectional override can turn a number round. `clean` keeps what is printable and nothing else.
"""

import re
import unicodedata
from typing import Final

LENGTH_MAX: Final = 300

# Whole sequences go, so that their letters and numbers do not stay behind as if the venue had said them.
_SEQUENCE: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, modes
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f]).*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]",  # all shorter ones
    re.DOTALL,
)
_BLANK: Final = re.compile(r"\s+")
# Marks stack on a cell, formats turn text round, the others have no agreed look or width.
_DROPPED: Final = frozenset({"Mn", "Me", "Cf", "Cc", "Cs", "Co", "Cn"})


def clean(text: str, length_max: int = LENGTH_MAX) -> str:
    """`text` on one line, printable, at most `length_max` characters (an ellipsis says when some are missing).

    Escape sequences, control, format (also bidirectional) and combining characters are removed, every run of white
    space becomes one blank. Cleaning twice changes nothing.
    """
    if len(text) > 4 * length_max:
        text = text[: 4 * length_max] + "…"  # bounds the work on hostile input; what is cut could not be shown
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFC", _BLANK.sub(" ", _SEQUENCE.sub("", text)))
        text = "".join(char for char in text if unicodedata.category(char) not in _DROPPED)
        text = unicodedata.normalize("NFC", text)  # what a dropped character kept apart may compose now
    text = _BLANK.sub(" ", text).strip()
    return text if len(text) <= length_max else text[: length_max - 1].rstrip() + "…"
