"""What the journal remembers: audit verify, audit query, explain, replay."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from console import say
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.core import money
from engine.core.clean import clean
from engine.core.risk import RULES
from engine.session.clock import WallClock
from engine.session.fields import parse_duration
from engine.session.layers import nearest
from store.database import holds_desk
from store.errors import Damaged
from store.queries import Queries, open_queries
from store.records import TraceRecord
from store.recovery import verify_file
from store.rows import FACT_KINDS
from store.writer import NOTE_KINDS

T = TypeVar("T")
_RULES = {rule.name: rule for rule in RULES}
KINDS = FACT_KINDS | NOTE_KINDS
"""What `audit query --kind` may ask for; the blocks of inputs are the replay's to read."""
LAST = "last"
_END_OF_ID = re.compile(r"[0-9]+-[0-9]+")
_EPOCH = datetime.fromtimestamp(0, tz=UTC)


def audit_verify(where: Where) -> Exit:
    """Check the hash chain of the whole journal; exit code 5 names the first row that is not what was written."""
    try:
        found = verify_file(_books(where))
    except Damaged as damage:
        raise Quit(Exit.FAILED_CHECK, f"BAD: {damage}") from damage
    answer = {
        "good": found.is_good,
        "rows": found.rows,
        "inputs": found.inputs,
        "head": found.head,
        "bad": msgspec.to_builtins(found.bad),
    }
    if found.bad is None:
        text = f"good: {found.rows} rows, {found.inputs} inputs, head {found.head}"
    else:
        kind = found.bad.kind or "unreadable"
        text = f"BAD: row {found.bad.id} ({kind}): {found.bad.reason}; the {found.rows} rows before it are good"
    say.receipt(answer, text, json_wanted=where.json)
    return Exit.DONE if found.is_good else Exit.FAILED_CHECK


def audit_query(
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
    events = _query(where, lambda queries: queries.events(**asked))
    if where.json:
        say.as_json([{**msgspec.to_builtins(event), "body": json.loads(event.body)} for event in events])
    else:
        rows = [
            (str(e.id), say.utc(e.at_ns), e.run_id or "-", e.kind, e.symbol or "-", e.ref or "-", e.body)
            for e in events
        ]
        say.table(("row", "time (UTC)", "run", "kind", "symbol", "ref", "body"), rows)
    return Exit.DONE


def explain(where: Where, any_id: str) -> Exit:
    """Print everything that followed from a signal: the newest (`last`), or the one behind the id of a step of it.

    The end of an id, as the console shows it, stands for the newest run that has it.
    """

    async def ask(queries: Queries) -> list[TraceRecord]:
        newest = await queries.signals(1) if any_id == LAST else []
        found = await queries.trace(newest[0].signal_id if newest else any_id)
        if found or not _END_OF_ID.fullmatch(any_id):
            return found
        for run in await queries.runs():
            if found := await queries.trace(f"{run.run_id}-{any_id}"):
                return found
        return []

    steps = _query(where, ask)
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
    shown = [rule.unit.text(money.parse(n)) if rule else n for n in (step.value, step.limit_value)]
    return step.text.removeprefix("layer "), step.id, *shown, step.state, rule.says if rule else ""


def newest_event_ns(path: Path, kind: str) -> int:
    """When the newest journal row of `kind` was written; 0 if there is none."""

    async def ask() -> int:
        async with open_queries(path) as queries:
            found = await queries.events(kind=kind, limit=1)
            return found[0].at_ns if found else 0

    return asyncio.run(ask())


def moment_ns(text: str) -> int:
    """`2026-01-31`, `2026-01-31T12:00:00Z`, or `2h` for two hours ago, in nanoseconds UTC; no zone means UTC."""
    try:
        return WallClock().now_ns() - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Quit(Exit.USAGE, f"{text!r} is no time: write 2026-01-31, 2026-01-31T12:00:00Z, or 2h for ago") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _books(where: Where) -> Path:
    path = where.home.database
    if not path.exists() or not holds_desk(path):
        raise Quit(Exit.USAGE, f"no {where.home.env} desk has run yet: there is no {path}")
    return path


def _query(where: Where, ask: Callable[[Queries], Awaitable[T]]) -> T:
    path = _books(where)

    async def run() -> T:
        async with open_queries(path) as queries:
            return await ask(queries)

    return asyncio.run(run())
