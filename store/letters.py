"""Dead letters in the desk's database, each as it stands."""

from pathlib import Path
from typing import Final

import msgspec

from engine.session.dead_letters import Letter
from store.database import reading

_COLUMNS: Final = "letter_id, operation, payload, state, class, text, attempts, first_ns, last_ns, actor"


def read_letters(path: Path) -> list[Letter]:
    """Every letter as it stands, the one that failed first first."""
    with reading(path) as connection:
        rows = connection.execute(f"SELECT {_COLUMNS} FROM dead_letters ORDER BY first_ns, letter_id")  # noqa: S608
        return [msgspec.convert(row, Letter) for row in map(_named, rows)]


def _named(row: tuple[object, ...]) -> dict[str, object]:
    return dict(zip(Letter.__struct_fields__, row, strict=True))
