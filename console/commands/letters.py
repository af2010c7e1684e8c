"""What failed for good: dead-letters list, retry, discard."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import msgspec

from console import say
from console.commands.alerts import carrier
from console.commands.books import books_of
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.session.clock import WallClock
from engine.session.dead_letters import DeadLetters, Letter, LetterState, Operation, operations_on
from engine.session.lock import DeskLock, Holder
from store.desk import open_store
from store.letters import read_letters


def show(where: Where, *, everything: bool) -> Exit:
    """Print the letters that wait, or all there ever were."""
    found = [one for one in read_letters(books_of(where)) if everything or one.state is LetterState.WAITING]
    if where.json:
        say.as_json([msgspec.to_builtins(one) for one in found])
    elif not found:
        say.line("no dead letters")
    else:
        head = ("id", "state", "operation", "class", "attempts", "first (UTC)", "last (UTC)", "why")
        say.table(head, [_row(one) for one in found])
    return Exit.DONE


def retry(where: Where, letter_id: str) -> Exit:
    """Try one letter again, or all that wait; exit code 1 if one failed again."""
    with _letters(where) as letters:
        chosen = [_chosen(letters, letter_id)] if letter_id else letters.waiting()
        failed = letters.retry(chosen)
    done = [one.letter_id for one in chosen if one not in failed]
    answer = {"done": done, "failed": [one.letter_id for one in failed]}
    text = f"{len(done)} done, {len(failed)} failed again" if chosen else "no letter waits"
    say.receipt(answer, text, json_wanted=where.json)
    return Exit.ERROR if failed else Exit.DONE


def discard(where: Where, letter_id: str, reason: str) -> Exit:
    """Give one letter up."""
    if not reason:
        raise Quit(Exit.USAGE, "dead-letters discard needs --reason TEXT: it goes into the record")
    with _letters(where) as letters:
        letters.discard(_chosen(letters, letter_id), "cli", reason)
    say.receipt({"discarded": letter_id}, f"{letter_id} discarded", json_wanted=where.json)
    return Exit.DONE


@contextmanager
def _letters(where: Where) -> Iterator[DeadLetters]:
    """The letters of a desk that is stopped, its lock held. Raises AlreadyRunning."""
    path, clock = books_of(where), WallClock()
    lock = DeskLock.acquire(where.home.lock, Holder(started_ns=clock.now_ns()))
    try:
        with closing(open_store(path, where.home.env, clock, threaded=False, may_restore=False)) as store:
            operations = {**operations_on(store), Operation.ALERT: carrier(where)}
            yield DeadLetters(store, clock, operations, _told)
    finally:
        lock.release()


def _told(where: str, text: str, error: BaseException) -> None:
    say.aside(text)


def _chosen(letters: DeadLetters, letter_id: str) -> Letter:
    found = [one for one in letters.waiting() if one.letter_id == letter_id]
    if not found:
        raise Quit(Exit.USAGE, f"no letter {letter_id!r} waits; `dead-letters list` shows which do")
    return found[0]


def _row(one: Letter) -> tuple[str, ...]:
    times = (say.utc(one.first_ns), say.utc(one.last_ns))
    return one.letter_id, one.state.value, one.operation, one.error_class, str(one.attempts), *times, one.text
