"""Move the oldest rows of the journal into an archive: audit prune."""

from contextlib import closing

import msgspec

from console import say
from console.commands.books import books_of, moment_ns
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.session.clock import WallClock
from engine.session.fields import parse_duration
from engine.session.lock import DeskLock, Holder
from store.audit import proof
from store.database import reading
from store.desk import open_store
from store.retention import Prunable, prunable


def prune(where: Where, before: str, older_than: str, *, confirmed: bool) -> Exit:
    """Archive and delete what is older, or say what would be; only with the desk off and its journal good."""
    before_ns = _cutoff_ns(before, older_than)
    books = books_of(where)
    clock = WallClock()
    lock = DeskLock.acquire(where.home.lock, Holder(started_ns=clock.now_ns()))
    try:
        with reading(books) as connection:
            rows = prunable(connection, before_ns)
        if not confirmed or not rows.rows:
            return _would(where, rows)
        found = proof(books)
        if not found.is_good:
            raise Quit(Exit.FAILED_CHECK, "the journal does not verify, so nothing is pruned: see `audit verify`")
        with closing(open_store(books, where.home.env, clock, threaded=False, may_restore=False)) as store:
            done = store.prune(rows).result()
    finally:
        lock.release()
    text = (
        f"{done.rows} rows are now in {done.archive} (SHA-256 {done.sha256}); the journal begins with row "
        f"{done.first_kept_row}, {done.freed} bytes are free again"
    )
    text += f"\n{done.problem}" if done.problem else ""
    say.receipt(
        {"pruned": True, **msgspec.structs.asdict(done), "archive": str(done.archive)}, text, json_wanted=where.json
    )
    return Exit.DONE


def _would(where: Where, rows: Prunable) -> Exit:
    """What there is to prune, in words."""
    kept = f"row {rows.last_row + 1} stays: {rows.limit}"
    if rows.rows:
        text = f"{rows.rows} rows, {rows.first_row} to {rows.last_row}, would be archived; {kept}\nto do it, add --yes"
    else:
        text = f"nothing to archive: {kept}"
    answer = {"pruned": False, "rows": rows.rows, **msgspec.to_builtins(rows)}
    say.receipt(answer, text, json_wanted=where.json)
    return Exit.DONE


def _cutoff_ns(before: str, older_than: str) -> int:
    if bool(before) == bool(older_than):
        raise Quit(Exit.USAGE, "say which rows: either --before TIME or --older-than 90d")
    if before:
        return moment_ns(before)
    try:
        return WallClock().now_ns() - parse_duration(older_than)
    except ValueError as wrong:
        raise Quit(Exit.USAGE, f"--older-than {older_than}: {wrong}") from wrong
