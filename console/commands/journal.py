"""What the journal holds, row by row: audit query."""

import json
from typing import Any

import msgspec

from console import say
from console.commands.books import ask, moment_ns
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.core.clean import clean
from engine.session.layers import nearest
from store.rows import FACT_KINDS
from store.writer import NOTE_KINDS

KINDS = FACT_KINDS | NOTE_KINDS
"""What `audit query --kind` may ask for; the blocks of inputs are the replay's to read."""


def query(
    where: Where, *, kind: str, symbol: str, ref: str, since: str, until: str, limit: int, before: int | None
) -> Exit:
    """Print journal rows, newest first."""
    if kind and kind not in KINDS:
        hint = nearest(kind, KINDS) or f"; there are {', '.join(sorted(KINDS))}"
        raise Quit(Exit.USAGE, f"no row is of the kind {clean(kind, 40)!r}{hint}")
    asked: dict[str, Any] = {"kind": kind, "symbol": symbol, "ref": ref, "limit": limit}
    if since:
        asked["since_ns"] = moment_ns(since)
    if until:
        asked["until_ns"] = moment_ns(until)
    if before is not None:
        asked["before"] = before
    events = ask(where, lambda queries: queries.events(**asked))
    if where.json:
        say.as_json([{**msgspec.to_builtins(event), "body": json.loads(event.body)} for event in events])
    else:
        rows = [
            (str(e.id), say.utc(e.at_ns), e.run_id or "-", e.kind, e.symbol or "-", e.ref or "-", e.body)
            for e in events
        ]
        say.table(("row", "time (UTC)", "run", "kind", "symbol", "ref", "body"), rows)
    return Exit.DONE
