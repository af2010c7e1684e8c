"""Where secrets come from: `secrets.toml` names a source for each, and never a secret itself.

A secret is known by the name of its variable, so that everything that reads variables finds it, wherever it lies. One
that is not named there comes from the environment or `.env`.
"""

import os
import shlex
import stat
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import Field, ValidationError

from engine.core.clean import clean
from engine.session.dotenv import Problem
from engine.session.layers import MARKER, FileModel, Sources, read_toml, rule_of

COMMAND_SECONDS: Final = 10.0
LETTERS_MAX: Final = 10_000
ROTATE_DAYS: Final = 75
TOO_OLD_DAYS: Final = 90
CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"


class Entry(FileModel):
    """Where one secret is: `file:PATH`, `credential:NAME`, `keyring:SERVICE/USER`, `command:WORDS` or `environment`."""

    source: str = Field(alias="from")
    rotated: date | None = None


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a secret was made: `days` ago, None where that is not said."""

    name: str
    days: int | None

    @property
    def is_due(self) -> bool:
        return self.days is None or self.days >= ROTATE_DAYS

    @property
    def is_too_old(self) -> bool:
        """Live trading refuses it; unknown counts as too old."""
        return self.days is None or self.days > TOO_OLD_DAYS

    @property
    def text(self) -> str:
        """What to do about it."""
        age = "has no date in secrets.toml (rotated)" if self.days is None else f"is {self.days} days old"
        return f"{self.name} {age}: make a new one every {TOO_OLD_DAYS} days"


class Unreadable(Exception):
    """A source gives no secret; the message names the cause and the cure, and nothing of the secret."""


def read_secrets(
    path: Path, env: str, sources: Sources, now_ns: int, problems: list[Problem]
) -> tuple[dict[str, str], tuple[Rotation, ...]]:
    """The secrets `path` names, by variable, and how old each is; nothing where there is no such file."""
    if not path.exists():
        return {}, ()
    written = read_toml(path, problems)
    if written.pop(MARKER, None) != env:
        problems.append(Problem(str(path), MARKER, None, f'must be "{env}"'))
        return {}, ()
    found: dict[str, str] = {}
    rotations = []
    for name, raw in written.items():
        entry = _entry(path, name, raw, problems)
        if entry is None:
            continue
        rotation = _rotation(name, entry, now_ns)
        rotations.append(rotation)
        if rotation.days is not None and rotation.days < 0:
            problems.append(Problem(str(path), f"{clean(name)}.rotated", str(entry.rotated), "lies in the future"))
        if entry.source == "environment":
            continue
        if sources.variables.get(name) or sources.dotenv.get(name):
            where = "the environment" if sources.variables.get(name) else sources.dotenv_name
            rule = f'is set in {where} as well: remove it there, or say from = "environment" here'
            problems.append(Problem(str(path), clean(name), None, rule))
            continue
        try:
            found[name] = _read(entry.source, sources.variables)
        except Unreadable as reason:
            problems.append(Problem(str(path), clean(name), None, str(reason)))
    return found, tuple(rotations)


def _entry(path: Path, name: str, raw: Any, problems: list[Problem]) -> Entry | None:
    if not isinstance(raw, dict):
        problems.append(Problem(str(path), clean(name), "***", 'must be a table: [NAME], then from = "file:…"'))
        return None
    try:
        return Entry.model_validate(raw)
    except ValidationError as refused:
        for error in refused.errors():
            key = ".".join([name, *map(str, error["loc"])])
            is_date = error["loc"][:1] == ("rotated",)
            rule = "must be a date without quotes, like 2026-11-01" if is_date else rule_of(error)
            problems.append(Problem(str(path), clean(key), None, rule))  # never the value: it may be a secret
        return None


def _rotation(name: str, entry: Entry, now_ns: int) -> Rotation:
    if entry.rotated is None:
        return Rotation(name, None)
    today = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).date()
    return Rotation(name, (today - entry.rotated).days)


def _read(source: str, variables: Mapping[str, str]) -> str:
    kind, _, where = source.partition(":")
    reader = _READERS.get(kind)
    if reader is None or not where:
        raise Unreadable(f"must be environment, or one of {', '.join(f'{each}:…' for each in _READERS)}")
    text = reader(where, variables).strip("\r\n")
    if not text:
        raise Unreadable(f"its {kind} holds nothing")
    if len(text) > LETTERS_MAX or "\n" in text:
        raise Unreadable(f"its {kind} holds more than one line")
    return text


def _from_file(where: str, variables: Mapping[str, str]) -> str:
    path = Path(where).expanduser()
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            info = os.fstat(handle)
            if not stat.S_ISREG(info.st_mode):
                raise Unreadable(f"{path} is no file")
            if info.st_uid not in (os.getuid(), 0):
                raise Unreadable(f"{path} belongs to another user")
            if stat.S_IMODE(info.st_mode) & 0o077:
                raise Unreadable(f"others can read {path}: chmod 600 {path}")
            return os.read(handle, LETTERS_MAX + 2).decode()
        finally:
            os.close(handle)
    except OSError as problem:
        raise Unreadable(f"{path}: {problem.strerror}") from problem
    except UnicodeDecodeError:
        raise Unreadable(f"{path} is not text") from None


def _from_credential(where: str, variables: Mapping[str, str]) -> str:
    folder = variables.get(CREDENTIALS, "")
    if not folder:
        raise Unreadable(f"there are no credentials of systemd here: LoadCredential={where}:PATH in the unit")
    if Path(where).name != where:
        raise Unreadable("a credential is named, not a path")
    return _from_file(str(Path(folder) / where), variables)


def _from_keyring(where: str, variables: Mapping[str, str]) -> str:
    try:
        import keyring
    except ImportError:
        raise Unreadable("needs the extra: pip install 'nightdesk[keyring]'") from None
    service, _, user = where.partition("/")
    try:
        found = keyring.get_password(service, user)
    except Exception as problem:  # whatever backend there is, its text may hold anything
        raise Unreadable(f"the keyring does not answer ({type(problem).__name__})") from problem
    if not found:
        raise Unreadable(f"the keyring has nothing for {where}: keyring set {service} {user}")
    return str(found)


def _from_command(where: str, variables: Mapping[str, str]) -> str:
    try:
        words = shlex.split(where)
        done = subprocess.run(
            words, capture_output=True, stdin=subprocess.DEVNULL, timeout=COMMAND_SECONDS, check=False, text=True
        )
    except subprocess.TimeoutExpired:
        raise Unreadable(f"its command gave no answer within {COMMAND_SECONDS:g} s") from None
    except (OSError, ValueError) as problem:
        raise Unreadable(f"its command cannot be run: {type(problem).__name__}") from problem
    if done.returncode:
        raise Unreadable(f"its command ended with exit code {done.returncode}; run it by hand to see why")
    return done.stdout.partition("\n")[0]


_READERS: Final[dict[str, Callable[[str, Mapping[str, str]], str]]] = {
    "file": _from_file,
    "credential": _from_credential,
    "keyring": _from_keyring,
    "command": _from_command,
}
