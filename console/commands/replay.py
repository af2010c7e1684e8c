"""A run again, from its journal: the same inputs through a fresh core, and whether it decides the same."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from console import say
from console.commands.books import books_of, moment_ns
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.core.engine import Engine
from engine.core.facts import AnyFact, Fact
from engine.core.money import text as decimal
from engine.strategies import make_all
from store.recovery import Inputs, RunStart, UnknownRun, run_facts, run_inputs

SHOWN_MAX: Final = 1_000


class Difference(msgspec.Struct, frozen=True):
    """The first place where the replay and the journal part; None on the side that has nothing there."""

    seq: int
    recorded: AnyFact | None
    replayed: AnyFact | None


class Replayed(msgspec.Struct, frozen=True):
    """What a replay came to. `decision_hash` is hexadecimal; `equity` scaled by 1e-8."""

    run_id: str
    events: int
    facts: int
    decision_hash: str
    state_hash: str
    equity: int
    difference: Difference | None


class Replay:
    """One run, driven again. Iterate `facts`; afterwards the counters and the engine hold the result.

    Attributes:
        first_seq: The last input whose outcome is part of the state the run began with; 0: there was none.
    """

    def __init__(self, start: RunStart | None, inputs: Inputs) -> None:
        self._inputs = inputs
        self.first_seq = start.seq if start is not None else 0
        self.engine = Engine(make_all, start.state if start is not None else None)
        self.events = 0
        self.counted = 0

    def facts(self) -> Iterator[tuple[int, AnyFact]]:
        """(sequence number of the cause, fact), as the core decides them again."""
        handle = self.engine.handle
        for seq, event in self._inputs:
            self.events += 1
            for item in handle(event):
                if isinstance(item, Fact):
                    self.counted += 1
                    yield seq, item


def replay(where: Where, run_id: str, *, since: str, verify: bool) -> Exit:
    """Drive a run again; with `verify`, exit code 5 when it decides anything else than it did."""
    path = books_of(where)
    run_id = _resolved(where, run_id)
    try:
        start, inputs = run_inputs(path, run_id)
    except UnknownRun as unknown:
        raise Quit(Exit.USAGE, str(unknown)) from unknown
    again = Replay(start, inputs)
    difference = None
    if verify:
        recorded = (entry for entry in run_facts(path, run_id) if entry[0] > again.first_seq)
        difference = first_difference(recorded, again.facts())
    else:
        _show(again.facts(), moment_ns(since) if since else None, as_json=where.json)
    found = Replayed(
        run_id=run_id,
        events=again.events,
        facts=again.counted,
        decision_hash=again.engine.decision_hash,
        state_hash=again.engine.state_hash(),
        equity=again.engine.desk.equity if again.events else 0,
        difference=difference,
    )
    _report(where, found, verified=verify)
    return Exit.FAILED_CHECK if difference is not None else Exit.DONE


def first_difference(
    recorded: Iterable[tuple[int, AnyFact]], replayed: Iterable[tuple[int, AnyFact]]
) -> Difference | None:
    """Where the two part first, or None; both are read to the end only while they agree."""
    mine, theirs = iter(replayed), iter(recorded)
    while True:
        was, now = next(theirs, None), next(mine, None)
        if was is None and now is None:
            return None
        if was != now:
            seq = (was or now or (0,))[0]
            return Difference(seq, was[1] if was else None, now[1] if now else None)


def _resolved(where: Where, run_id: str) -> str:
    """`latest` is the newest run folder's name; anything else is taken as it is."""
    if run_id != "latest":
        return run_id
    try:
        return where.home.latest.readlink().name
    except OSError:
        raise Quit(Exit.USAGE, f"there is no {where.home.latest}; name the run") from None


def _show(facts: Iterable[tuple[int, AnyFact]], since_ns: int | None, *, as_json: bool) -> None:
    """Print the facts from `since_ns` on, at most `SHOWN_MAX`; drive the run to its end in any case."""
    shown = 0
    for seq, fact in facts:
        if since_ns is None or fact.at_ns < since_ns or shown >= SHOWN_MAX:
            continue
        shown += 1
        if as_json:
            say.as_json({"seq": seq, **msgspec.to_builtins(fact)})
        else:
            say.line(f"{say.utc(fact.at_ns)}  {seq:>10}  {_words(fact)}")
    if shown == SHOWN_MAX:
        say.aside(f"only the first {SHOWN_MAX} are shown")


def _words(fact: AnyFact) -> str:
    fields = msgspec.to_builtins(fact)
    kind = fields.pop("type", type(fact).__name__)
    return f"{kind}  " + "  ".join(f"{name}={value}" for name, value in fields.items() if name != "at_ns")


def _report(where: Where, found: Replayed, *, verified: bool) -> None:
    answer: dict[str, Any] = {
        "run_id": found.run_id,
        "events": found.events,
        "facts": found.facts,
        "decision_hash": found.decision_hash,
        "state_hash": found.state_hash,
        "equity": decimal(found.equity),
    }
    if verified:
        answer |= {"same": found.difference is None, "difference": msgspec.to_builtins(found.difference)}
    if where.json:
        say.as_json(answer)
        return
    rows = [(name.replace("_", " "), str(answer[name])) for name in list(answer)[1:6]]
    if found.difference is not None:
        rows += [
            ("DIFFERS at input", str(found.difference.seq)),
            ("recorded", _side(found.difference.recorded)),
            ("replayed", _side(found.difference.replayed)),
        ]
    elif verified:
        rows.append(("verdict", "the same decisions, one by one"))
    say.pairs(f"replay of run {found.run_id}", rows)


def _side(fact: AnyFact | None) -> str:
    return "nothing" if fact is None else _words(fact)
