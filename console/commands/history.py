"""What became of a signal: explain."""

import re

import msgspec

from console import say
from console.commands.books import ask
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.core import money
from engine.core.risk import RULES
from engine.core.words import Unit
from store.queries import Queries
from store.records import TraceRecord

_RULES = {rule.name: rule for rule in RULES}
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
        say.table(head, [_check(step) for step in checks])
    earned = [money.parse(step.amount) for step in steps if step.what == "trade"]
    if earned:
        say.line("")
        say.line(f"P&L after fees and funding: {money.text(sum(earned))}")
    return Exit.DONE


def _check(step: TraceRecord) -> tuple[str, ...]:
    """One rule's line; a rule this version no longer has is shown with its numbers as they were written."""
    rule = _RULES.get(step.id)
    value, limit = (rule.unit.text(money.parse(n)) if rule else n for n in (step.value, step.limit_value))
    if rule is not None and rule.unit is Unit.PRICE and not money.parse(step.limit_value):
        limit = f"above {limit}"  # there has to be a price: no limit it could be within
    return step.text.removeprefix("layer "), step.id, value, limit, step.state, rule.says if rule else ""
