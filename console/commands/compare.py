"""Two runs side by side: report --compare."""

from typing import Final

import msgspec

from console import say
from console.commands.report import reviewed
from console.commands.where import Where
from console.exits import Exit
from engine.review.compare import comparison

PARTED_SHOWN: Final = 200


def compare(where: Where, first: str, second: str) -> Exit:
    """Print two runs side by side, with what differs."""
    one, other = reviewed(where, first), reviewed(where, second)
    found = comparison(one, other)
    if where.json:
        say.as_json(msgspec.to_builtins(found))
        return Exit.DONE
    rows = [(row.figure, row.first or "–", row.second or "–", row.difference or "") for row in found.figures]
    say.table(("figure", *found.runs, "difference"), rows)
    say.line("")
    alike = "the same" if found.same_decisions else "not the same"
    say.line(f"decisions: {alike}; {found.trades_alike} trades alike, {len(found.parted)} not")
    for part in found.parted[:PARTED_SHOWN]:
        say.line(f"  {part.symbol} {part.number}: {part.text}")
    return Exit.DONE
