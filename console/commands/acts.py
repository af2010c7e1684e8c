"""Acting on a running desk: pause, resume, kill, rearm, flatten, reset-breaker, reconcile, stop."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from console import say
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.core.events import Act
from engine.core.view import CommandReceipt
from engine.session import remote
from engine.session.clock import WallClock, block
from engine.session.control import still_killed_text
from engine.session.home import Home, kill_requested
from engine.session.lock import DeskLock, Holder, holder
from engine.session.ports import CommandRequest
from engine.session.remote import NotRunning
from engine.session.status import rearm_token

if TYPE_CHECKING:
    from store.desk import Store

STOP_SECONDS: Final = 60
LET_GO_SECONDS: Final = 10
RECONCILE_SECONDS: Final = 15
LATCHED: Final = "the kill is latched, also over restarts; nightdesk rearm shows how to clear it"
NOT_LATCHED: Final = "the kill switch is not latched"
_POLL_SECONDS: Final = 0.05


def act(where: Where, kind: Act, reason: str, subject: str = "") -> Exit:
    """Have the running desk do `kind` and print its receipt."""
    receipt = remote.command(remote.socket_of(where.home), CommandRequest(kind, "cli", "", reason, subject))
    return _print(where, kind, receipt)


def reconcile(where: Where, adopt: str, reason: str) -> Exit:
    """Have the books compared, or the broker's side of a discrepancy adopted, and say what came of it."""
    if adopt and not reason:
        raise Quit(Exit.USAGE, "reconcile --adopt needs --reason TEXT: it goes into the record")
    path = remote.socket_of(where.home)
    before = remote.status(where.home)["reconciliation"]
    receipt = remote.command(path, CommandRequest(Act.RECONCILE, "cli", "", reason, adopt))
    if not receipt.accepted:
        return _print(where, Act.RECONCILE, receipt)
    found = _compared(where.home, before)
    if found is None:
        raise Quit(Exit.ERROR, f"no comparison came of it within {RECONCILE_SECONDS} s: can the broker be reached?")
    standing = [
        f"{d['id']}: {d['kind']} {d['subject']}, {d['ours']} here, {d['theirs']} there" for d in found["discrepancies"]
    ]
    words = "both books agree" if found["clean"] else "the books do not agree"
    hint = ["to take the broker's side: nightdesk reconcile --adopt ID --reason TEXT"] if standing else []
    told = "\n".join([*([receipt.text] if adopt else []), words, *standing, *hint])
    say.receipt({"act": "reconcile", "accepted": True, **found, "text": words}, told, json_wanted=where.json)
    return Exit.DONE if found["clean"] else Exit.ERROR


def _compared(home: Home, before: dict[str, Any]) -> dict[str, Any] | None:
    """How a comparison newer than `before` came out; one that found a difference is given time to be believed."""
    clock = WallClock()
    until_ns = clock.mono_ns() + RECONCILE_SECONDS * 1_000_000_000
    found: dict[str, Any] | None = None
    while clock.mono_ns() < until_ns:
        now: dict[str, Any] = remote.status(home)["reconciliation"]
        if now["compared_at"] != before["compared_at"]:
            found = now
            if now["clean"] or now["discrepancies"]:
                return found
        block(_POLL_SECONDS)
    return found


def kill(where: Where, reason: str) -> Exit:
    """Kill through the socket; by the kill file where the desk does not answer at once or does not confirm."""
    killed = remote.kill(where.home, CommandRequest(Act.KILL, "cli", "", reason))
    if killed.by == "socket":
        text = f"{killed.text}\n{LATCHED}"
        return _print(where, Act.KILL, CommandReceipt(True, text, killed.took_us, killed.unconfirmed))
    told = f"{killed.why}\n{killed.text}\n{LATCHED}, once the file is removed"
    told = told if killed.accepted else f"NOTHING WAS RUNNING HERE: {told}"
    answer = {"act": "kill", "accepted": killed.accepted, "by": "file", "file": killed.file}
    answer |= {"running": killed.accepted, "text": killed.why}
    say.receipt(answer, told, json_wanted=where.json)
    return Exit.DONE if killed.accepted else Exit.NOT_RUNNING


def rearm(where: Where, reason: str, confirm: str) -> Exit:
    """Show the token of the standing latch, or with it clear the latch; the desk may be running or stopped."""
    source = kill_requested(where.home, where.variables)
    if source is not None:
        raise Quit(Exit.ERROR, still_killed_text(where.home, source))
    if confirm and not reason:
        raise Quit(Exit.USAGE, "rearm --confirm needs --reason TEXT: it goes into the record")
    try:
        path = remote.socket_of(where.home)
    except NotRunning:
        return _rearm_stopped(where, reason, confirm)
    if not confirm:
        return _show_token(where, str(remote.status(where.home).get("rearm_token", "")))
    receipt = remote.command(path, CommandRequest(Act.REARM, "cli", "", reason), confirm=confirm)
    return _print(where, Act.REARM, receipt)


def _rearm_stopped(where: Where, reason: str, confirm: str) -> Exit:
    """Show the token of a desk that is not running, or with it clear the latch in its books."""
    if not where.home.database.exists():
        return _show_token(where, "")
    with _stopped_books(where.home) as (store, token):
        if not confirm or not token:
            return _show_token(where, token)
        if confirm != token:
            raise Quit(Exit.ERROR, "the token does not belong to this latch; ask for it again")
        receipt = _clear(store, where.home, f"cli: {reason}")
    return _print(where, Act.REARM, receipt)


def rearm_books(home: Home, variables: Mapping[str, str], reason: str) -> CommandReceipt:
    """Clear the latch of a desk that is over, for a person who has been asked already.

    A session that has said its last word may still be letting go of its books: that is waited for.

    Raises:
        SessionError, StoreError: the desk runs again, or its books cannot be opened.
    """
    source = kill_requested(home, variables)
    if source is not None:
        return CommandReceipt(False, still_killed_text(home, source))
    clock = WallClock()
    until_ns = clock.mono_ns() + LET_GO_SECONDS * 1_000_000_000
    while holder(home.lock) is not None and clock.mono_ns() < until_ns:
        block(_POLL_SECONDS)
    with _stopped_books(home) as (store, token):
        return _clear(store, home, f"tui: {reason}") if token else CommandReceipt(False, NOT_LATCHED)


@contextmanager
def _stopped_books(home: Home) -> "Iterator[tuple[Store, str]]":
    """The books of a desk that is not running, under its lock, and the token of its latch; empty if there is none."""
    from store.desk import open_store

    clock = WallClock()
    lock = DeskLock.acquire(home.lock, Holder(started_ns=clock.now_ns()))
    try:
        with closing(open_store(home.database, home.env, clock, threaded=False, may_restore=False)) as store:
            is_latched = store.recovered.kill_latched or home.latch_file.exists()
            yield store, rearm_token(home.env, _latched_ns(home)) if is_latched else ""
    finally:
        lock.release()


def _clear(store: "Store", home: Home, text: str) -> CommandReceipt:
    store.journal.latch(False, text).result()
    home.latch_file.unlink(missing_ok=True)
    return CommandReceipt(True, "kill latch cleared; the next start may enter again")


def _latched_ns(home: Home) -> int:
    """When the newest latch was set, by the journal or by the guard's own file."""
    from console.commands.books import newest_event_ns

    at_ns = max(newest_event_ns(home.database, "latch"), newest_event_ns(home.database, "kill_changed"))
    return max(at_ns, home.latch_file.stat().st_mtime_ns if home.latch_file.exists() else 0)


def _show_token(where: Where, token: str) -> Exit:
    if not token:
        say.receipt({"latched": False}, NOT_LATCHED, json_wanted=where.json)
        return Exit.DONE
    text = (
        f"The kill switch is latched. Clearing it lets the {where.home.env} desk enter new positions again.\n"
        f"To clear it: nightdesk rearm --env {where.home.env} --reason TEXT --confirm {token}"
    )
    say.receipt({"latched": True, "token": token}, text, json_wanted=where.json)
    return Exit.DONE


def stop(where: Where, reason: str, *, keep_positions: bool, wait: bool) -> Exit:
    """Ask the desk to end in order and, unless told otherwise, wait until it has."""
    path = remote.socket_of(where.home)
    remote.stop(path, keep_positions=keep_positions)
    if wait and not _ended(where.home):
        raise Quit(Exit.ERROR, f"the desk was asked to stop and still runs after {STOP_SECONDS} s")
    text = "the desk has stopped" if wait else "the desk was asked to stop"
    answer = {"act": "stop", "accepted": True, "stopped": wait, "text": text, "reason": reason}
    say.receipt(answer, text, json_wanted=where.json)
    return Exit.DONE


def _ended(home: Home) -> bool:
    clock = WallClock()
    until_ns = clock.mono_ns() + STOP_SECONDS * 1_000_000_000
    while holder(home.lock) is not None:
        if clock.mono_ns() > until_ns:
            return False
        block(_POLL_SECONDS)
    return True


def _print(where: Where, kind: Act, receipt: CommandReceipt) -> Exit:
    answer = {
        "act": kind.value,
        "accepted": receipt.accepted,
        "by": "socket",
        "text": receipt.text,
        "took_us": receipt.took_us,
        "unconfirmed": list(receipt.unconfirmed),
    }
    text = receipt.text
    if receipt.unconfirmed:
        text += f"\nnot yet confirmed as cancelled: {', '.join(receipt.unconfirmed)}"
    say.receipt(answer, text if receipt.accepted else f"refused: {text}", json_wanted=where.json)
    return Exit.DONE if receipt.accepted else Exit.ERROR
