"""Trading days told again from the journal: one, held against its file and its seal, or several as one: report DAY."""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from console import say
from console.commands.books import books_of
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.review.daily import seal, text_of
from engine.review.performance import KINDS, Performing
from engine.review.period import Period, essay, period, told
from engine.session.days import OVER
from engine.session.files import replace_file
from store.days import Seal, day_names, read_days, read_seals
from store.spans import read_rows

LENGTH: Final = len("2026-01-31")
_VERDICTS: Final = {
    True: "the journal gives the same bytes again",
    False: "the day is on: it is sealed once it is over",
}


class Day(msgspec.Struct, frozen=True):
    """A day's artifact as the journal gives it, held against its file and its seal.

    Attributes:
        sealed: When it was sealed (UTC ns); None: it is not, and only file and journal are compared.
        same: Of a day that is over: the journal gives the very bytes of the file, and they are those that were sealed.
    """

    day: str
    state: str
    sha256: str
    sealed: int | None
    same: bool
    difference: str
    artifact: dict[str, Any]


def is_day(what: str) -> bool:
    """Whether a day is named, and not a run."""
    return len(what) == LENGTH and what.count("-") == 2


def day(where: Where, name: str, *, verify: bool) -> Exit:
    """Print the artifact of a day; with `verify`, exit code 5 if file, seal and journal are not one."""
    found = _day(where, name, read_seals(books_of(where)).get(name))
    if where.json:
        say.as_json(msgspec.to_builtins(found))
    elif verify:
        say.pairs(f"artifact of {name}", _rows(found))
    else:
        say.line(text_of(found.artifact).decode().rstrip())
    return Exit.FAILED_CHECK if verify and found.difference else Exit.DONE


def days(where: Where, since: str, until: str) -> Exit:
    """Tell the days from one to another, both included, as one, and leave the text beside their artifacts."""
    found = _period(where, since, until)
    path = where.home.artifacts / f"{found.days[0]['day']}_{found.days[-1]['day']}.md"
    replace_file(path, essay(found).encode())
    if where.json:
        say.as_json(told(found))
    else:
        say.line(essay(found).rstrip())
    return Exit.DONE


def _period(where: Where, since: str, until: str) -> Period:
    path = books_of(where)
    seals = read_seals(path)
    names = [name for name in day_names(path) if since <= name and (not until or name <= until)]
    found = [_day(where, name, seals.get(name)) for name in names]
    if not found:
        raise Quit(Exit.USAGE, f"the journal knows no day from {since or 'its first'} to {until or 'its last'}")
    artifacts = [one.artifact for one in found]
    first, last = artifacts[0]["journal"]["first_row"], artifacts[-1]["journal"]["last_row"]
    span = read_rows(path, KINDS, first, last)
    performing = Performing(span.calendar, span.begin_ns, span.held, span.ran).take_all(span.facts)
    unsealed = [f"{one.day}: {one.difference}" for one in found if one.difference]
    return period(where.home.env, artifacts, span.run_ids, performing, unsealed)


def _day(where: Where, name: str, sealed: Seal | None) -> Day:
    path, file = books_of(where), where.home.artifacts / f"{name}.json"
    written = file.read_bytes() if file.exists() else b""
    given = sealed.given if sealed is not None else _given(written)
    found = list(read_days(path, where.home.env, given, only=name))
    if not found:
        raise Quit(Exit.USAGE, f"the journal knows no day {name}, or its rows are archived")
    artifact, text = found[0], text_of(found[0])
    is_over = artifact["state"] == OVER  # what the file of an open day says was so when a run ended, and goes on
    difference = _difference(text, written, sealed) if is_over else ""
    at_ns = sealed.at_ns if sealed is not None else None
    return Day(name, artifact["state"], seal(text), at_ns, is_over and not difference, difference, artifact)


def _given(written: bytes) -> Mapping[str, str]:
    """What the file of a day that is not sealed says it was made with."""
    try:
        return dict(json.loads(written)["given"])
    except (ValueError, KeyError, TypeError):
        return {"gate_level": "unknown"}


def _difference(text: bytes, written: bytes, sealed: Seal | None) -> str:
    if not written:
        return "there is no file"
    if sealed is not None and seal(written) != sealed.sha256:
        return "the file is not the one that was sealed"
    if sealed is not None and seal(text) != sealed.sha256:
        return "the journal does not give what was sealed"
    return "" if text == written else "the journal gives another text than the file"


def _rows(found: Day) -> list[tuple[str, str]]:
    return [
        ("state", found.state),
        ("sha256", found.sha256),
        ("sealed", say.utc(found.sealed) if found.sealed else "no"),
        ("verdict", found.difference or _VERDICTS[found.state == OVER]),
    ]
