"""Readiness in writing: the go/no-go certificate, signed, and the controls of regulated trading as a yardstick."""

import json
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from console import say
from console.answers.page import commands as known_commands
from console.assemble import strategy_files
from console.commands.doctor import CHECKS, FAIL
from console.commands.settings import read
from console.commands.validate import books_alone
from console.commands.where import Where
from console.exits import Exit, Quit
from console.gatekeeping import current
from engine.review.certificate import Certificate, Seen, certificate, inputs
from engine.review.controls import CONTROLS, counts
from engine.review.injected import GROUP
from engine.review.moments import instant
from engine.review.protocol import Verdict
from engine.session.clock import WallClock
from engine.session.files import replace_file
from engine.session.program import ROOT, Program
from store.database import holds_desk, reading
from store.gate import read_gate, trusted_keys
from store.keys import desk_key, keys_folder
from store.verdicts import SignedCertificate, certified, protocols, statement_of

GAPS: Final = {
    "C1 (a kill stops every order)": "tests/e2e/test_e2e_kill.py",
    "C2 (a crash loses nothing and sends nothing twice)": "tests/e2e/test_e2e_crash.py",
}
"""The critical gaps of earlier designs, and the tests that hold them closed."""


def certify(where: Where, tree: Path | None) -> Exit:
    """Decide, sign and keep a certificate; exit code 5 for a NO-GO."""
    config = read(where, tree)
    clock = WallClock()
    now = current(config, Program(others=strategy_files(config)).fingerprint)
    database = where.home.database
    record = read_gate(database)
    found = inputs(record, _seen(where, tree), now, clock.now_ns(), config.validation.expiry)
    made = certificate(found, config.env, version("nightdesk"), clock.now_ns(), now, dict(counts()))
    where.home.create()
    with books_alone(where) as store:
        signed = certified(made, desk_key(keys_folder(database)))
        body = json.dumps({"go": made.go, **msgspec.to_builtins(signed)})
        store.record_gate("certificate", "GO" if made.go else "NO-GO", body).result()
    where.home.evidence.mkdir(mode=0o700, exist_ok=True)
    name = f"certificate-{(instant(made.issued_ns) or '')[:19].replace(':', '')}"
    file = where.home.evidence / f"{name}.json"
    replace_file(file, msgspec.json.encode(signed) + b"\n")
    replace_file(file.with_suffix(".md"), _markdown(made, signed).encode())
    if where.json:
        say.as_json({**msgspec.to_builtins(made), "file": str(file)})
    else:
        say.table(("", "input", "found", "evidence"), [(i.finding, i.name, i.text, i.evidence) for i in made.inputs])
        say.line(f"{'GO' if made.go else 'NO-GO'} until {instant(made.expires_ns)}; NOT RUN: {_list(made.not_run)}")
        say.line(f"certificate: {file}")
    return Exit.DONE if made.go else Exit.FAILED_CHECK


def verify(where: Where, file: Path) -> Exit:
    """Check a certificate's signature, its key and its age; exit code 5 where it is worth nothing."""
    try:
        signed = msgspec.json.decode(file.read_bytes(), type=SignedCertificate)
        made = msgspec.json.decode(signed.certificate, type=Certificate)
    except (OSError, msgspec.MsgspecError) as bad:
        raise Quit(Exit.USAGE, f"{file} is no certificate: {bad}") from bad
    wrong = ""
    if not signed.is_genuine:
        wrong = "its signature does not hold: it was altered"
    elif signed.key not in trusted_keys(keys_folder(where.home.database)):
        wrong = "it is signed with a key this desk does not trust"
    elif WallClock().now_ns() >= made.expires_ns:
        wrong = f"it expired at {instant(made.expires_ns)}"
    text = wrong or f"genuine: {'GO' if made.go else 'NO-GO'} until {instant(made.expires_ns)}"
    say.receipt({"genuine": not wrong, "go": made.go, "text": text}, text, json_wanted=where.json)
    return Exit.FAILED_CHECK if wrong else Exit.DONE


def controls(where: Where) -> Exit:
    """Print the forty-six controls, each with its evidence or why there is none."""
    tables, words = _tables(where), {path for path, _ in known_commands("", _program())}
    told = [
        {
            "id": one.id,
            "name": one.name,
            "asks": one.asks,
            "standing": one.standing.value,
            "why": one.why,
            "evidence": [_link(link, tables, words) for link in one.links],
        }
        for one in CONTROLS
    ]
    if where.json:
        say.as_json(told)
        return Exit.DONE
    rows = [
        (one.id, one.standing.value, one.name, "; ".join(filter(None, (one.why, ", ".join(one.links)))))
        for one in CONTROLS
    ]
    say.table(("", "", "control", "evidence"), rows)
    say.line(", ".join(f"{count} {standing}" for standing, count in counts().items()) + "; a yardstick, no claim")
    return Exit.DONE


def _link(link: str, tables: dict[str, int], words: set[str]) -> dict[str, Any]:
    """A link with what it leads to: a file's hash, a table's rows, a command."""
    kind, _, name = link.partition(" ")
    if kind == "table":
        return {"link": link, "found": name in tables, "rows": tables.get(name), "sha256": None}
    if kind == "command":
        return {"link": link, "found": name in words, "rows": None, "sha256": None}
    path = ROOT / link
    digest = sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    return {"link": link, "found": digest is not None, "rows": None, "sha256": digest}


def _tables(where: Where) -> dict[str, int]:
    """How many rows each table has; of a desk that has not run yet, none."""
    names = sorted({link.partition(" ")[2] for one in CONTROLS for link in one.links if link.startswith("table ")})
    if not holds_desk(where.home.database):
        return dict.fromkeys(names, 0)
    with reading(where.home.database) as connection:
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}  # noqa: S608


def _program() -> Any:
    from console.cli import program

    return program()


def _seen(where: Where, tree: Path | None) -> Seen:
    verdicts = list(_verdicts(where.home.database))
    broken = next((one for one in verdicts if any(c.group == GROUP for c in one.criteria)), None)
    three = next((one for one in verdicts if one.protocol == "72h"), None)
    faults = None
    if broken is not None:
        good = all(one.state == "PASS" for one in broken.criteria if one.group == GROUP)
        faults = (broken.protocol_id, good)
    failing = [f"{f.name}: {f.text}" for check in CHECKS for f in check(where, tree) if f.verdict == FAIL]
    gaps = [name for name, path in GAPS.items() if not (ROOT / path).is_file()]
    return Seen(faults, three.economics if three else "", failing, gaps)


def _verdicts(database: Path) -> Iterator[Verdict]:
    """The verdicts of this desk, the newest first."""
    for begun in protocols(database) if holds_desk(database) else ():
        said = statement_of(database, begun.terms.protocol_id)
        if said is not None and said.is_genuine:
            yield said.said.verdict


def _markdown(made: Certificate, signed: SignedCertificate) -> str:
    rows = [f"| {i.finding} | {i.name} | {i.text} | {i.evidence or '-'} |" for i in made.inputs]
    head = f"# Readiness: {'GO' if made.go else 'NO-GO'}\n"
    told = [
        f"nightdesk {made.version}, {made.env}, issued {instant(made.issued_ns)}, expires {instant(made.expires_ns)}.",
        f"NOT RUN: {_list(made.not_run)}.",
        "Controls: "
        + ", ".join(f"{count} {standing}" for standing, count in made.controls.items())
        + " (a yardstick).",
        *(f"{name}: `{value}`" for name, value in made.fingerprints.items()),
        f"Signed with `{signed.key}`: `{signed.ed25519}`; `nightdesk certify --verify FILE.json` checks it.",
    ]
    table = ["| | input | found | evidence |", "|---|---|---|---|", *rows]
    return "\n".join([head, *table, "", *told, ""])


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"
