"""A run again, from its journal: the same inputs through a fresh core, and whether it decides the same."""

from collections.abc import Sequence
from getpass import getuser
from pathlib import Path
from typing import Any, Final

import msgspec

from console import say
from console.commands.books import books_of, moment_ns
from console.commands.start import has_terminal
from console.commands.where import Where
from console.exits import Exit, Quit
from console.seat import Seat
from engine.core.events import AnyEvent
from engine.core.facts import AnyFact, Fact
from engine.core.money import text as decimal
from engine.review.replay import CONTEXT, Difference, Driver, Replay
from engine.review.replay import replay as drive
from engine.session.clock import WallClock
from engine.session.home import Home
from engine.strategies import make_all
from store.recovery import NearRow, RunStart, UnknownRun, rows_around, run_facts, run_inputs

SHOWN_MAX: Final = 1_000


def replay(where: Where, run_id: str, *, since: str, verify: bool, prints: bool) -> Exit:
    """Look at a run again on a terminal; without one, or to be printed, in JSON or verified, drive it to its end.

    With `verify`, exit code 5 when it decides anything else than it did. `since` is where the console opens; driven,
    a run begins with the newest state kept from before that time, and what was decided from then on is printed.
    """
    path = books_of(where)
    run_id = _resolved(where, run_id)
    since_ns = moment_ns(since) if since else None
    if has_terminal() and not (verify or prints or where.json):
        return _look(path, run_id, since_ns, where.home if path == where.home.database else None)
    try:
        start, inputs = run_inputs(path, run_id, since_ns)
    except UnknownRun as unknown:
        raise Quit(Exit.USAGE, str(unknown)) from unknown
    state = start.state if start is not None else None
    if verify:
        found = drive(make_all, state, inputs, run_facts(path, run_id, start.row if start is not None else 0))
    else:
        driver = Driver(make_all, state, inputs)
        _show(driver, since_ns, as_json=where.json)
        found = driver.outcome()
    _report(where, run_id, start, found, path if verify else None)
    return Exit.FAILED_CHECK if found.difference is not None else Exit.DONE


def _look(path: Path, run_id: str, since_ns: int | None, files: Home | None) -> Exit:
    """The console on a recorded run."""
    from console.app import Bridge, Left, run_console
    from console.travel.desk import ReplayDesk
    from console.travel.player import Player
    from store.recording import Recording

    try:
        recording = Recording(path, run_id)
    except UnknownRun as unknown:
        raise Quit(Exit.USAGE, str(unknown)) from unknown
    desk = ReplayDesk(lambda: Player(recording, make_all, WallClock().mono_ns, since_ns))
    desk.start()
    try:
        bridge = Bridge(actor=getuser(), seat=Seat.REPLAY, books=path, files=files, traveller=desk)
        departure = run_console(desk, bridge)
    finally:
        desk.close()
    fault = desk.fault or departure.fault
    if desk.fault or departure.left is Left.FAILED:
        raise Quit(Exit.ERROR, f"the replay failed; nothing was changed\n{fault}")
    return Exit.DONE


def _resolved(where: Where, run_id: str) -> str:
    """`latest` is the newest run folder's name; anything else is taken as it is."""
    if run_id != "latest":
        return run_id
    try:
        return where.home.latest.readlink().name
    except OSError:
        raise Quit(Exit.USAGE, f"there is no {where.home.latest}; name the run") from None


def _show(driver: Driver, since_ns: int | None, *, as_json: bool) -> None:
    """Print the facts from `since_ns` on, at most `SHOWN_MAX`; drive the run to its end in any case."""
    shown = 0
    for seq, _, facts in driver.steps():
        for fact in facts:
            if since_ns is None or fact.at_ns < since_ns or shown >= SHOWN_MAX:
                continue
            shown += 1
            if as_json:
                say.as_json({"seq": seq, **msgspec.to_builtins(fact)})
            else:
                say.line(f"{say.utc(fact.at_ns)}  {seq:>10}  {_words(fact)}")
    if shown == SHOWN_MAX:
        say.aside(f"only the first {SHOWN_MAX} are shown")


def _words(item: AnyFact | AnyEvent) -> str:
    fields = _fields(item)
    kind = fields.pop("type")
    return f"{kind}  " + "  ".join(f"{name}={value}" for name, value in fields.items() if name != "at_ns")


def _fields(item: AnyFact | AnyEvent) -> dict[str, Any]:
    """By name, also what travels as an array. A fact's type is its kind in the journal, an event's is its class."""
    kind = item.__struct_config__.tag if isinstance(item, Fact) else type(item).__name__
    return {"type": kind, **msgspec.to_builtins(msgspec.structs.asdict(item))}


def _report(where: Where, run_id: str, start: RunStart | None, found: Replay, verified: Path | None) -> None:
    """The outcome; with the journal it was verified against, also the verdict."""
    answer: dict[str, Any] = {
        "run_id": run_id,
        "events": found.inputs,
        "facts": found.facts,
        "decision_hash": found.decision_hash,
        "state_hash": found.state_hash,
        "equity": decimal(found.equity),
        "from": {"row": start.row, "seq": start.seq, "at_ns": start.at_ns} if start is not None else None,
    }
    difference = found.difference
    near = rows_around(verified, difference.seq, CONTEXT) if verified is not None and difference is not None else []
    if verified is not None:
        answer |= {"same": difference is None, "difference": _told(difference, near) if difference else None}
    if where.json:
        say.as_json(answer)
        return
    rows = [(name.replace("_", " "), str(answer[name])) for name in list(answer)[1:6]]
    begun = "its beginning" if start is None else f"row {start.row}, {say.utc(start.at_ns)}, after input {start.seq}"
    rows.append(("from", begun))
    if verified is not None and difference is None:
        rows.append(("verdict", "the same decisions, one by one"))
    say.pairs(f"replay of run {run_id}", rows)
    if difference is not None:
        _show_difference(difference, near)


def _told(difference: Difference, near: Sequence[NearRow]) -> dict[str, Any]:
    return {
        "seq": difference.seq,
        "event": _fields(difference.event) if difference.event is not None else None,
        "index": difference.index,
        "recorded": msgspec.to_builtins(difference.recorded),
        "replayed": msgspec.to_builtins(difference.replayed),
        "before": [{"seq": seq, **msgspec.to_builtins(fact)} for seq, fact in difference.before],
        "rows": msgspec.to_builtins(near),
    }


def _show_difference(difference: Difference, near: Sequence[NearRow]) -> None:
    """The input, what both sides made of it, and where that stands in the journal."""
    event, index = difference.event, difference.index
    say.line(f"DIFFERS at input {difference.seq}, in fact {index + 1} of it")
    at = say.utc(event.at_ns) + "  " if event is not None else ""
    say.line(f"  input     {at}{_words(event) if event is not None else 'there is none: the inputs have ended'}")
    for side, facts in (("recorded", difference.recorded), ("replayed", difference.replayed)):
        for number, fact in enumerate(facts):
            mark = "*" if number == index else " "
            say.line(f"  {side}{mark} {say.utc(fact.at_ns)}  {_words(fact)}")
        if len(facts) <= index:
            say.line(f"  {side}* nothing{' more' if facts else ''}")
    say.line("rows of the journal around it")
    rows = [(str(r.id), str(r.seq), say.utc(r.at_ns), r.kind, r.symbol or "-", r.ref or "-") for r in near]
    say.table(("row", "input", "time (UTC)", "kind", "symbol", "ref"), rows)
