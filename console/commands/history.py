"""What became of a signal: explain."""

import re

import msgspec

from console import say
from console.commands.books import ask
from console.commands.where import Where
from console.exits import Exit, Quit
from console.story import check
from engine.core import money
from store.queries import Queries
from store.records import TraceRecord

LAST = "last"
_END_OF_ID = re.compile(r"[0-9]+-[0-9]+")


def explain(where: Where, any_id: str) -> Exit:
    """Print everything that followed from a signal: the newest (`last`), or the one behind the id of a step of it.

    The end of an id, as the console shows it, stands for the newest run that has it.
    """

    async def steps_of(queries: Queries) -> list[TraceRecord]:
        newest = await queries.signals(1) if any_id == LAST else []
        found = await queries.trace(newest[0].signal_id if newest else any_id)
        if found or not _END_OF_ID.fullmatch(any_id):
            return found
        for run in await queries.runs():
            if found := await queries.trace(f"{run.run_id}-{any_id}"):
                return found
        return []

    steps = ask(where, steps_of)
    if not steps:
        raise Quit(
            Exit.USAGE,
            f"no signal, order, fill or trade of this desk has the id {any_id!r}; `explain {LAST}` takes the newest "
            "signal, and `audit query --kind signal_ended` lists ids under ref",
        )
    if where.json:
        say.as_json([msgspec.to_builtins(step) for step in steps])
        return Exit.DONE
    checks = [step for step in steps if step.what == "check"]
    steps = [step for step in steps if step.what != "check"]
    story = [
        (say.utc(s.at_ns), s.what, s.id, s.symbol, s.state, s.qty, s.price, s.fee, s.amount, s.text) for s in steps
    ]
    say.table(("time (UTC)", "what", "id", "symbol", "state", "qty", "price", "fee", "result", "why"), story)
    if checks:
        say.line("")
        head = ("layer", "rule", "measured", "limit", "", "what must hold")
        say.table(head, [check(step) for step in checks])
    earned = [money.parse(step.amount) for step in steps if step.what == "trade"]
    if earned:
        say.line("")
        say.line(f"P&L after fees and funding: {money.text(sum(earned))}")
    return Exit.DONE
