"""Where a setting comes from: command line, then environment, then `.env`, then file, then default.

One section is one file and its type. `Section.settle` merges what the sources say about it, remembers which of them
won, and collects every problem instead of stopping at the first. A variable set to nothing is not set.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.session.dotenv import PREFIX, Problem, read_text
from engine.session.errors import SessionError

MARKER: Final = "env"
DEFAULT_ORIGIN: Final = "default"
ALIKE_MIN: Final = 0.6  # of a misspelt word with the one that was meant, 1 for the same
_SECRET_WORDS: Final = ("secret", "password", "passphrase", "api_key", "token", "private_key")


class FileModel(BaseModel):
    """Base of everything read from a file: frozen, no unknown keys. `quoted`: problems may say what stands there."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    quoted: ClassVar[bool] = True


class ConfigRefused(SessionError):
    """The configuration cannot be used; `problems` holds all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"configuration refused: {count}", *(f"  {problem}" for problem in problems)]))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Override:
    """A setting from the command line; `option` names it there."""

    option: str
    value: object


@dataclass(frozen=True, slots=True)
class Sources:
    """What can override a file: command line by `section.key`, the environment, `.env`."""

    overrides: Mapping[str, Override]
    variables: Mapping[str, str]
    dotenv: Mapping[str, str]
    dotenv_name: str = ".env"


FileT = TypeVar("FileT", bound=FileModel)


@dataclass(frozen=True, slots=True)
class Section(Generic[FileT]):
    """One file of a tree: its name in keys, its type, its path, and the prefix of its variables."""

    name: str
    model: type[FileT]
    path: Path
    prefix: str

    def variable(self, key: str) -> str:
        return f"{PREFIX}{self.prefix}{key.upper()}"

    def variables(self) -> list[str]:
        """The name of every variable that can set a key of this section; the marker cannot be set that way."""
        return [self.variable(key) for key in self.model.model_fields if key != MARKER]

    def settle(self, sources: Sources, problems: list[Problem]) -> "Settled[FileT]":
        """Merge the sources and check the result; what is wrong is added to `problems`."""
        unread = len(problems)
        written = read_toml(self.path, problems)
        unreadable = len(problems) > unread
        values: dict[str, object] = {}
        origins: dict[str, str] = {}
        for key in self.model.model_fields:
            origin, value = self._first(key, sources, written)
            if origin != DEFAULT_ORIGIN:
                values[key] = value
            origins[key] = origin
        problems += [self._unknown(key, value) for key, value in written.items() if key not in self.model.model_fields]
        try:
            return Settled(self, self.model.model_validate(values), origins, values)
        except ValidationError as refused:
            found = [error for error in refused.errors() if not (unreadable and error["type"] == "missing")]
            shown = values if self.model.quoted else {}
            problems += [_problem(error, shown, origins, str(self.path)) for error in found]
            return Settled(self, None, origins, values)

    def _first(self, key: str, sources: Sources, written: Mapping[str, object]) -> tuple[str, object]:
        override = sources.overrides.get(f"{self.name}.{key}")
        if override is not None:
            return override.option, override.value
        variable = self.variable(key)
        if key != MARKER and sources.variables.get(variable, ""):
            return f"environment {variable}", sources.variables[variable]
        if key != MARKER and sources.dotenv.get(variable, ""):
            return f"{sources.dotenv_name} {variable}", sources.dotenv[variable]
        return (str(self.path), written[key]) if key in written else (DEFAULT_ORIGIN, None)

    def _unknown(self, key: str, value: object) -> Problem:
        if any(word in key.lower() for word in _SECRET_WORDS):
            return Problem(str(self.path), key, "***", "a secret never belongs in a file; use the environment")
        value = value if self.model.quoted else None
        return Problem(str(self.path), key, value, "unknown key" + nearest(key, self.model.model_fields))


@dataclass(frozen=True, slots=True)
class Settled(Generic[FileT]):
    """A section after all sources were asked. `file` is None when something in it is wrong."""

    section: Section[FileT]
    file: FileT | None
    origins: Mapping[str, str]
    given: Mapping[str, object]

    def problem(self, key: str, rule: str) -> Problem:
        """A problem with `key`, placed where its value came from."""
        origin = self.origins.get(key, DEFAULT_ORIGIN)
        value = self.given.get(key) if self.section.model.quoted else None
        if origin == DEFAULT_ORIGIN:
            return Problem(str(self.section.path), key, value, rule)
        return Problem(origin, key, value, rule)


def read_toml(path: Path, problems: list[Problem]) -> dict[str, Any]:
    """The keys of a TOML file; empty, with a problem added, when it cannot be read."""
    text = read_text(path, problems)
    try:
        return tomllib.loads(text or "")
    except tomllib.TOMLDecodeError as broken:
        problems.append(Problem(str(path), "", None, f"is not valid TOML: {broken}"))
        return {}


def nearest(word: str, known: Iterable[str]) -> str:
    """A ready-made hint naming the known word closest to `word`, or nothing."""
    by_letters = {each.casefold(): each for each in known}
    found = difflib.get_close_matches(word.casefold(), list(by_letters), n=1, cutoff=0.5)
    return f"; did you mean {by_letters[found[0]]}?" if found else ""


def nearest_variable(name: str, known: Iterable[str]) -> str:
    """The hint for a misspelt variable: by its words, wherever they stand, because most of a name is prefix."""
    words = name.removeprefix(PREFIX).casefold().split("_")

    def likeness(other: str) -> tuple[float, float]:
        parts = other.removeprefix(PREFIX).casefold().split("_")
        alike = [max(_ratio(word, part) for part in parts) for word in words]
        return sum(alike) / len(alike), -float(len(parts))

    best = max(known, key=likeness, default="")
    return f"; did you mean {best}?" if best and likeness(best)[0] >= ALIKE_MIN else ""


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def rule_of(error: Mapping[str, Any]) -> str:
    """The rule a pydantic error stands for, in our words."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is required"
    if kind == "value_error":
        return str(context["error"])
    if kind == "greater_than":
        return "must be above zero" if context["gt"] == 0 else f"must be above {context['gt']}"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "extra_forbidden":
        return "unknown key"
    return str(error["msg"]).removeprefix("Input ").replace("should", "must")


def _problem(error: Any, values: Mapping[str, object], origins: Mapping[str, str], path: str) -> Problem:
    key = str(error["loc"][0]) if error["loc"] else ""
    origin = origins.get(key, DEFAULT_ORIGIN)
    return Problem(path if origin == DEFAULT_ORIGIN else origin, key, values.get(key), rule_of(error))
