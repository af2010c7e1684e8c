"""What the journal holds, row by row: audit query."""

import json
from collections.abc import Sequence

import msgspec

from console import say
from console.commands.books import ask, moment_ns
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.core.clean import clean
from engine.session.layers import nearest
from store.queries import Queries
from store.records import EventRecord
from store.recovery import UnknownRun
from store.rows import FACT_KINDS
from store.searches import NEWEST
from store.writer import NOTE_KINDS

KINDS = FACT_KINDS | NOTE_KINDS
"""What `audit query --kind` may ask for; the blocks of inputs are the replay's to read."""
LATEST = "latest"


class Asked(msgspec.Struct, frozen=True):
    """What `audit query` was asked, as typed; empty: not asked."""

    kind: str = ""
    symbol: str = ""
    any_id: str = ""
    run: str = ""
    since: str = ""
    until: str = ""
    limit: int = 50
    before: int | None = None
    after: int | None = None


def query(where: Where, asked: Asked) -> Exit:
    """Print journal rows, newest first, or oldest first behind a row; in JSON one a line."""
    if asked.kind and asked.kind not in KINDS:
        hint = nearest(asked.kind, KINDS)
        raise Quit(
            Exit.USAGE, f"no row is of the kind {clean(asked.kind, 40)!r}{hint}; there are {', '.join(sorted(KINDS))}"
        )
    if asked.before is not None and asked.after is not None:
        raise Quit(Exit.USAGE, "--before goes back from a row and --after on from one: give one of them")
    since_ns = moment_ns(asked.since) if asked.since else 0
    until_ns = moment_ns(asked.until) if asked.until else NEWEST

    async def found(queries: Queries) -> list[EventRecord]:
        run_id = (await queries.run()).run_id if asked.run == LATEST else asked.run
        return await queries.events(
            kind=asked.kind,
            symbol=asked.symbol,
            any_id=asked.any_id,
            run_id=run_id,
            since_ns=since_ns,
            until_ns=until_ns,
            limit=asked.limit,
            before=NEWEST if asked.before is None else asked.before,
            after=asked.after,
        )

    try:
        events = ask(where, found)
    except UnknownRun as unknown:
        raise Quit(Exit.USAGE, str(unknown)) from unknown
    if where.json:
        for event in events:
            say.as_json({**msgspec.to_builtins(event), "body": json.loads(event.body)})
        return Exit.DONE
    rows = [
        (str(e.id), say.utc(e.at_ns), e.run_id or "-", e.kind, e.symbol or "-", e.ref or "-", e.body) for e in events
    ]
    say.table(("row", "time (UTC)", "run", "kind", "symbol", "ref", "body"), rows)
    _tell_rest(where, asked, events)
    return Exit.DONE


def _tell_rest(where: Where, asked: Asked, events: Sequence[EventRecord]) -> None:
    """Say how the next page is asked for, or that older rows are not in the database."""
    if len(events) == asked.limit:
        flag = "--before" if asked.after is None else "--after"
        say.aside(f"there may be more: {flag} {events[-1].id}")
        return
    anchors = ask(where, lambda queries: queries.events(kind="anchor", limit=1))
    if anchors:
        say.aside(f"rows up to {json.loads(anchors[0].body)['last_row']} are archived: `audit verify` says where")
