"""What went wrong, by fingerprint: errors."""

import msgspec

from console import say
from console.commands.books import ask
from console.commands.where import Where
from console.exits import Exit, Quit
from store.queries import PAGE_MAX, Queries
from store.records import ErrorRecord
from store.recovery import UnknownRun

LATEST = "latest"


def errors(where: Where, run: str) -> Exit:
    """Print errors by fingerprint, the most frequent first; of one run, or of all."""

    async def found(queries: Queries) -> list[ErrorRecord]:
        run_id = (await queries.run()).run_id if run == LATEST else run
        return await queries.errors(run_id, PAGE_MAX)

    try:
        kinds = ask(where, found)
    except UnknownRun as unknown:
        raise Quit(Exit.USAGE, str(unknown)) from unknown
    if where.json:
        say.as_json([msgspec.to_builtins(kind) for kind in kinds])
    elif not kinds:
        say.line("no errors")
    else:
        rows = [(str(k.count), say.utc(k.first_ns), say.utc(k.last_ns), k.fingerprint, k.text) for k in kinds]
        say.table(("count", "first (UTC)", "last (UTC)", "fingerprint", "the first of them"), rows)
    return Exit.DONE
