"""What stands in the way of a run, checked one by one: `nightdesk doctor`."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from console import say
from console.commands.mend import is_open, mend, open_files
from console.commands.settings import read
from console.commands.status import is_latched
from console.commands.where import Where
from console.exits import Exit
from engine.core.config import Limits
from engine.core.limits import COUNTS
from engine.core.money import SCALE
from engine.core.risk import RULES
from engine.session import remote
from engine.session.clock import WallClock, unkept_text
from engine.session.errors import SessionError
from engine.session.home import kill_requested
from engine.session.lock import holder
from engine.session.program import LOCK, Program, unpinned
from engine.session.settings import LIMIT_OF
from store.database import holds_desk, quick_check, reading, sqlite_is_fixed, sqlite_version, stamped_env
from store.errors import StoreError
from store.heads import recorded_heads
from store.keys import PRIVATE, PUBLIC, BadKey, kept_key, keys_folder, read_public
from store.usage import Usage, usage

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "FAIL"
FIXED: Final = "fixed"
DISK_BYTES_MIN: Final = 200 * 1024 * 1024
DISK_BYTES_GOOD: Final = 2 * 1024 * 1024 * 1024
ENTRIES_MIN: Final = 100  # fewer say nothing about a limit
LOOSE_TIMES: Final = 10
USED_RULES: Final = ("heat", "loss", "order_notional", "position_notional", "rate", "message_rate")
"""Rules that measure in the unit their key sets; those counted in times of equity need the equity of then."""
CLOCK_BEHIND_NS: Final = 1_000_000_000  # a clock that is being set right moves by less


class Finding(NamedTuple):
    """One thing looked at. `text` says what was found and, where it is not good, what helps."""

    name: str
    verdict: str
    text: str


def doctor(where: Where, tree: Path | None, *, fix: bool) -> Exit:
    """Print every finding; exit code 1 if one fails. With `fix`, first put right what can be, and say what was."""
    found = [Finding("fix", FIXED, text) for text in mend(where.home)] if fix else []
    found += [finding for check in CHECKS for finding in check(where, tree)]
    if where.json:
        say.as_json([finding._asdict() for finding in found])
    else:
        say.table(("check", "verdict", "found"), found)
    return Exit.ERROR if any(finding.verdict == FAIL for finding in found) else Exit.DONE


def _python(where: Where, tree: Path | None) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    yield Finding("python", OK if good else FAIL, version if good else f"{version}; 3.11 or newer is needed")


def _sqlite(where: Where, tree: Path | None) -> Iterator[Finding]:
    version = sqlite_version()
    if sqlite_is_fixed():
        yield Finding("sqlite", OK, version)
    else:
        yield Finding("sqlite", WARN, f"{version} has a rare WAL fault (fixed in 3.51.3); the desk works around it")


def _program(where: Where, tree: Path | None) -> Iterator[Finding]:
    """Whether a running desk was started from the files that lie here now."""
    try:
        running = remote.status(where.home).get("program")
    except SessionError:
        return  # none runs, or none answers, which is told with the lock
    if running is None:
        return
    same = running == Program().fingerprint
    text = running[:12] if same else "the running desk was started from other files than these: start it again"
    yield Finding("program", OK if same else WARN, text)


def _libraries(where: Where, tree: Path | None) -> Iterator[Finding]:
    """Whether the libraries are the ones the program was tried with."""
    if not LOCK.exists():
        yield Finding("libraries", OK, f"not compared: there is no {LOCK.name} beside the program")
        return
    others = unpinned()
    for text in others:
        yield Finding("libraries", WARN, text)
    if not others:
        yield Finding("libraries", OK, f"as {LOCK} pins them")


def _authorities(where: Where, tree: Path | None) -> Iterator[Finding]:
    """Whose certificates a venue may show, where the environment says so in place of the system."""
    named = [f"{name}={os.environ[name]}" for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
    if named:
        yield Finding("authorities", OK, f"trusted are those of {', '.join(named)}")


def _config(where: Where, tree: Path | None) -> Iterator[Finding]:
    try:
        config = read(where, tree)
    except SessionError as refused:
        yield Finding("config", FAIL, str(refused))
    else:
        yield Finding("config", OK, f"{config.tree}, hash {config.content_hash[:12]}")


def _home(where: Where, tree: Path | None) -> Iterator[Finding]:
    folder = where.home.dir
    if not folder.exists():
        parent = next(path for path in folder.parents if path.exists())
        writable = os.access(parent, os.W_OK | os.X_OK)
        text = f"{folder}: will be made at the first start"
        yield Finding("home", OK if writable else FAIL, text if writable else f"{parent} is not writable")
        return
    info = folder.stat()
    if info.st_uid != os.getuid():
        yield Finding("home", FAIL, f"{folder} belongs to another user")
    elif is_open(folder):
        yield Finding("home", FAIL, f"{folder} is open to others: chmod 700 {folder}, or doctor --fix")
    else:
        yield Finding("home", OK, str(folder))


def _disk(where: Where, tree: Path | None) -> Iterator[Finding]:
    folder = next(path for path in (where.home.dir, *where.home.dir.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    verdict = FAIL if free < DISK_BYTES_MIN else WARN if free < DISK_BYTES_GOOD else OK
    yield Finding("disk", verdict, f"{free / 1e9:.1f} GB free at {folder}")


def _lock(where: Where, tree: Path | None) -> Iterator[Finding]:
    found = holder(where.home.lock)
    if found is not None:
        yield Finding("lock", OK, f"held by a running desk, pid {found.pid}, run {found.run_id or 'not yet named'}")
    elif where.home.lock.exists():
        yield Finding(
            "lock",
            WARN,
            "free; its desk died; the next start recovers, doctor --fix removes it",
        )
    else:
        yield Finding("lock", OK, "free")


def _kill(where: Where, tree: Path | None) -> Iterator[Finding]:
    source = kill_requested(where.home, where.variables)
    if source is not None:
        yield Finding("kill switch", WARN, f"set by {source}; entries are refused")
    elif is_latched(where.home):
        yield Finding("kill switch", WARN, "latched; nightdesk rearm clears it")
    else:
        yield Finding("kill switch", OK, "not set")


def _books(where: Where, tree: Path | None) -> Iterator[Finding]:
    path = where.home.database
    if not holds_desk(path):
        yield Finding("books", OK, "none yet")
        return
    try:
        env = stamped_env(path)
        with reading(path) as connection:
            quick_check(connection, path)
    except StoreError as failure:
        yield Finding("books", FAIL, str(failure))
        return
    if env.lower() != where.home.env:
        yield Finding("books", FAIL, f"{path} is stamped {env}")
    else:
        yield Finding("books", OK, f"{path}, {path.stat().st_size / 1e6:.1f} MB, stamped {env}")


def _limits(where: Where, tree: Path | None) -> Iterator[Finding]:
    """Limits that would let through many times what entries have ever taken: they protect from little."""
    path = where.home.database
    try:
        limits = read(where, tree).limits
        if not holds_desk(path):
            return
        with reading(path) as connection:
            used = usage(connection, USED_RULES)
    except (SessionError, StoreError):
        return  # told with the configuration, or with the books
    if used.entries < ENTRIES_MIN:
        return
    loose = list(_loose(limits, used))
    for text in loose:
        yield Finding("limits", WARN, text)
    if not loose:
        yield Finding(
            "limits", OK, f"within {LOOSE_TIMES} times what {used.entries} entries since {say.utc(used.since_ns)} took"
        )


def _loose(limits: Limits, used: Usage) -> Iterator[str]:
    for rule in (rule for rule in RULES if rule.name in USED_RULES):
        field = LIMIT_OF[rule.key]
        limit = getattr(limits, field) * (SCALE if field in COUNTS else 1)
        most = used.most.get(rule.name, 0)
        if 0 < most * LOOSE_TIMES < limit:
            yield (
                f"{rule.key} lets through {rule.unit.text(limit)}, {limit // most} times the most that {used.entries} "
                f"entries since {say.utc(used.since_ns)} took ({rule.unit.text(most)}): tighten it in risk.toml"
            )


def _record(where: Where, tree: Path | None) -> Iterator[Finding]:
    """What the last run could not write into the journal; an empty record is a running desk's."""
    path = where.home.emergency
    if path.exists() and path.stat().st_size:
        yield Finding(
            "emergency record", WARN, f"{path} waits for the next start, which reads it back into the journal"
        )


def _alerts(where: Where, tree: Path | None) -> Iterator[Finding]:
    try:
        channels = read(where, tree).outside.channels
    except SessionError:
        return  # told above
    if channels:
        names = ", ".join(channel.name for channel in channels)
        yield Finding("alerts", OK, f"{names}; nightdesk alert test tries them")
    else:
        text = f"no channel: {where.home.alerts} alone; docs/alerts.md says how to add one"
        yield Finding("alerts", WARN if where.home.env == "live" else OK, text)


def _rotations(where: Where, tree: Path | None) -> Iterator[Finding]:
    """Secrets that are to be made anew; what cannot be read of them is told with the configuration."""
    try:
        rotations = read(where, tree).rotations
    except SessionError:
        return
    for rotation in rotations:
        if rotation.is_due:
            yield Finding("secrets", FAIL if rotation.is_too_old and where.home.env == "live" else WARN, rotation.text)


def _permissions(where: Where, tree: Path | None) -> Iterator[Finding]:
    for path in open_files(where.home):
        yield Finding("permissions", WARN, f"{path} can be read by others: doctor --fix closes it")


def _clock(where: Where, tree: Path | None) -> Iterator[Finding]:
    """Time may not run backwards. The newest signed head is compared: rows of a market that is played have its time."""
    now_ns, newest_ns = WallClock().now_ns(), 0
    if holds_desk(where.home.database):
        with contextlib.suppress(StoreError), reading(where.home.database) as connection:  # told with the books
            newest_ns = max((head.at_ns for head in recorded_heads(connection)), default=0)
    if now_ns + CLOCK_BEHIND_NS < newest_ns:
        text = f"{say.utc(now_ns)} UTC is before the newest signed head ({say.utc(newest_ns)}): set the clock"
        yield Finding("clock", FAIL, text)
    elif text := unkept_text():
        yield Finding("clock", WARN, f"{say.utc(now_ns)} UTC; {text}")
    else:
        yield Finding("clock", OK, f"{say.utc(now_ns)} UTC")


def _key(where: Where, tree: Path | None) -> Iterator[Finding]:
    """The pair that signs heads of the journal."""
    folder = keys_folder(where.home.database)
    try:
        key = kept_key(folder)
        if key is None:
            lost = holds_desk(where.home.database)
            text = f"{folder / PRIVATE} is missing: the next start makes a new pair, on record" if lost else "none yet"
            yield Finding("signing key", WARN if lost else OK, text)
        elif not (folder / PUBLIC).exists() or read_public(folder / PUBLIC) != key.public:
            yield Finding(
                "signing key", WARN, f"{folder / PUBLIC} is not its public half: the next start writes it anew"
            )
        else:
            yield Finding("signing key", OK, f"{folder}, {key.public[:12]}")
    except BadKey as bad:
        yield Finding("signing key", FAIL, str(bad))


CHECKS: Final[tuple[Callable[[Where, Path | None], Iterator[Finding]], ...]] = (
    _python,
    _sqlite,
    _program,
    _libraries,
    _authorities,
    _config,
    _home,
    _disk,
    _clock,
    _lock,
    _kill,
    _books,
    _key,
    _limits,
    _record,
    _alerts,
    _rotations,
    _permissions,
)
