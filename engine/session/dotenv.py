"""The `.env` file, and what is said of a file that cannot be used.

All that a command needs to know which desk it is about, without the models of the whole configuration: a kill must not
wait for those to load.
"""

import io
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from engine.core.clean import clean

PREFIX: Final = "NIGHTDESK_"
FILE_BYTES_MAX: Final = 1_000_000
_VALUE_CHARS_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the configuration: where it stands, which key, what it says, which rule it breaks."""

    where: str
    key: str
    value: object
    rule: str

    def __str__(self) -> str:
        place = f"{self.where}: {clean(self.key)}" if self.key else self.where
        if self.value is None:
            return f"{place}: {self.rule}"
        shown = f'"{clean(self.value)}"' if isinstance(self.value, str) else clean(repr(self.value))
        return f"{place} = {shown[:_VALUE_CHARS_MAX]}: {self.rule}"


def read_text(path: Path, problems: list[Problem]) -> str | None:
    """The text of a configuration file, or None with a problem added."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        if len(raw) > FILE_BYTES_MAX:
            problems.append(Problem(str(path), "", None, f"is larger than {FILE_BYTES_MAX} bytes"))
            return None
        return raw.decode()
    except FileNotFoundError:
        problems.append(Problem(str(path), "", None, "is missing"))
    except UnicodeDecodeError:
        problems.append(Problem(str(path), "", None, "is not UTF-8 text"))
    except OSError as refused:
        problems.append(Problem(str(path), "", None, f"cannot be read: {refused.strerror}"))
    return None


def read_dotenv(path: Path, problems: list[Problem]) -> dict[str, str]:
    """The variables of a `.env` file, without interpolation; none when there is no such file.

    Beside our own these are such that hold an address, because `alerts.toml` may name any variable. A file that holds a
    key and that others can read is refused.
    """
    if not path.is_file():
        return {}
    text = read_text(path, problems) or ""
    found = dotenv_values(stream=io.StringIO(text), interpolate=False)
    ours = {key: value or "" for key, value in found.items() if key.startswith(PREFIX) or "://" in (value or "")}
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077 and any(key.endswith(("_KEY", "_SECRET")) and value for key, value in ours.items()):
        problems.append(Problem(str(path), "", None, f"holds a secret and others can read it: chmod 600 {path}"))
    return ours
