"""Two runs side by side: report --compare."""

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from console import say
from console.commands.report import reviewed
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.review.compare import Side, comparison
from engine.review.reviewed import told

PARTED_SHOWN: Final = 200


def compare(where: Where, first: str, second: str) -> Exit:
    """Print two runs side by side, with what differs; each by its id, or by the `report.json` of any desk's run."""
    found = comparison(_side(where, first), _side(where, second))
    if where.json:
        say.as_json(msgspec.to_builtins(found))
        return Exit.DONE
    rows = [(row.figure, row.first or "–", row.second or "–", row.difference or "") for row in found.figures]
    say.table(("figure", *found.runs, "difference"), rows)
    say.line("")
    trades = "trades not at hand" if found.trades_alike is None else f"{found.trades_alike} trades alike"
    say.line(f"decisions: {'the same' if found.same_decisions else 'not the same'}; {trades}, {len(found.parted)} not")
    for part in found.parted[:PARTED_SHOWN]:
        say.line(f"  {part.symbol} {part.number}: {part.text}")
    return Exit.DONE


def _side(where: Where, what: str) -> Side:
    if not what.endswith(".json"):
        found = reviewed(where, what)
        return Side(told(found), found.trades)
    try:
        content: dict[str, Any] = json.loads(Path(what).read_bytes())
        if not content.keys() >= {"run_id", "report", "performance"}:
            raise ValueError("it has other keys")
    except (OSError, ValueError, AttributeError) as problem:
        raise Quit(Exit.USAGE, f"{what} is no report.json of a run: {problem}") from problem
    return Side(content, None)
