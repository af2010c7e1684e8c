"""Is the journal whole, and out with it: audit verify, audit head, audit export."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec

from console import say
from console.commands.books import books_of
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.session.ports import SignedHead
from store.audit import Held, Proof, proof
from store.database import reading
from store.errors import Damaged
from store.export import SCHEMA, Format
from store.export import export as write_export
from store.heads import BadHeads, read_heads, recorded_heads
from store.keys import read_public

_HASH_DIGITS = 64


def verify(
    where: Where, hashes: Sequence[str], files: Sequence[Path], keys: Sequence[Path], archives: Sequence[Path]
) -> Exit:
    """Check the whole journal and every head at hand; exit code 5 names what is not as it was written."""
    held = Held([head for path in files for head in _kept_heads(path)], [_hash(text) for text in hashes], archives)
    try:
        found = proof(books_of(where), held, [read_public(path) for path in keys])
    except Damaged as damage:
        raise Quit(Exit.FAILED_CHECK, f"BAD: {damage}") from damage
    except BadHeads as bad:
        raise Quit(Exit.FAILED_CHECK, f"BAD: {bad}") from bad
    say.receipt(_answer(found), "\n".join(_sentences(found)), json_wanted=where.json)
    return Exit.DONE if found.is_good else Exit.FAILED_CHECK


def head(where: Where) -> Exit:
    """Print the newest signed head, to be kept where the desk cannot reach it."""
    with reading(books_of(where)) as connection:
        heads = recorded_heads(connection)
    if not heads:
        raise Quit(Exit.ERROR, "no head is signed yet: one is once an hour and whenever the desk ends in order")
    newest = heads[-1]
    if where.json:
        say.as_json(msgspec.to_builtins(newest))
        return Exit.DONE
    shown = {**msgspec.to_builtins(newest), "at_ns": f"{newest.at_ns} ({say.utc(newest.at_ns)} UTC)"}
    say.pairs(f"signed head of the {newest.env} journal", [(name, str(value)) for name, value in shown.items()])
    return Exit.DONE


def export(where: Where, folder: Path, format_: str, tables: Sequence[str]) -> Exit:
    """Write the tables into `folder`, and say how many rows each has and what was left out."""
    chosen = next((known for known in get_args(Format) if known == format_), None)
    if chosen is None:
        raise Quit(Exit.USAGE, f"--format {format_}: must be one of {', '.join(get_args(Format))}")
    made = write_export(books_of(where), folder, chosen, tables)
    if where.json:
        say.as_json(msgspec.to_builtins(made))
        return Exit.DONE
    say.table(("table", "rows", "file"), [(table.name, str(table.rows), table.file) for table in made.tables])
    for name, why in made.left_out.items():
        say.line(f"left out: {name} ({why})")
    say.line(f"in {folder}, with {SCHEMA}; the journal up to row {made.last_row}")
    return Exit.DONE


def _answer(found: Proof) -> dict[str, object]:
    return {
        "good": found.is_good,
        "rows": found.chain.rows,
        "inputs": found.chain.inputs,
        "head": found.chain.head,
        "bad": msgspec.to_builtins(found.chain.bad),
        "faults": list(found.faults),
        "notes": list(found.notes),
        "signed_heads": found.signed,
        "filed_heads": found.filed,
        "held_heads": found.held,
        "unsigned_rows": found.unsigned_rows,
        "archived_rows": found.archived,
        "archives_checked": found.archives_checked,
        "newest_signed": msgspec.to_builtins(found.newest),
        "keys": list(found.keys),
    }


def _sentences(found: Proof) -> list[str]:
    chain = found.chain
    if chain.bad is not None:
        kind, when = chain.bad.kind or "unreadable", f", {say.utc(chain.bad.at_ns)}" if chain.bad.at_ns else ""
        bad = f"BAD: row {chain.bad.id} ({kind}{when}): {chain.bad.reason}; the {chain.rows} rows before it are good"
        return [bad, *found.notes]
    told = [f"BAD: {fault}" for fault in found.faults]
    word = "the chain alone holds" if told else "good"
    told.append(f"{word}: {chain.rows} rows, {chain.inputs} inputs, head {chain.head}")
    if found.newest is not None:
        told.append(
            f"signed: {found.signed} heads, {found.filed} of them in heads.jsonl"
            + (f", {found.held} that you hold" if found.held else "")
            + f"; {found.unsigned_rows} rows since the newest ({say.utc(found.newest.at_ns)})"
        )
    return [*told, *found.notes]


def _hash(text: str) -> str:
    if len(text) != _HASH_DIGITS or set(text.lower()) - set("0123456789abcdef"):
        raise Quit(Exit.USAGE, f"--head {text[:80]}: a hash has {_HASH_DIGITS} hexadecimal digits")
    return text.lower()


def _kept_heads(path: Path) -> list[SignedHead]:
    """The heads of a copy of heads.jsonl, of what `audit head --json` printed, or of a final report."""
    try:
        value = json.loads(path.read_bytes())
        return [msgspec.convert(value.get("journal_signed", value), SignedHead)]
    except OSError as error:
        raise Quit(Exit.USAGE, f"--heads {path}: {error.strerror}") from error
    except (ValueError, AttributeError, msgspec.ValidationError):
        pass  # not one JSON value: then one a line
    try:
        heads = read_heads(path)
    except BadHeads as bad:
        raise Quit(Exit.USAGE, f"--heads {bad}") from bad
    if not heads:
        raise Quit(Exit.USAGE, f"--heads {path}: there is no signed head in it")
    return heads
