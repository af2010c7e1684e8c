"""docs/commands.md: every command as the program has it, its examples, exit codes and answers."""

from collections.abc import Iterator
from typing import Any, get_args

from console.answers.catalogue import ANSWERS, BY_LINE
from console.answers.codes import codes_of
from console.cli import ALIASES, program

_HEAD = """# Commands

Made from the program by `docs/commands.py`; `nightdesk COMMAND --help` says the same.

Every command takes `--home DIR` (default `$NIGHTDESK_HOME` or `.nightdesk`), `--env paper|live` and `--json`, in any
position. `python -m console` is the same program. Answers go to standard output, remarks and refusals to standard
error; with `--json` a refusal is an answer, too: `{"error": TEXT, "exit_code": N}`. No command asks back, so all of
them work without a terminal but `attach`. The JSON Schema of all answers is
[commands.schema.json](commands.schema.json): under `commands` by command.

| exit code | means, everywhere |
|---|---|
| 0 | done |
| 1 | an error or a safety stop |
| 2 | wrong usage or configuration; nothing was touched |
| 3 | a desk runs already |
| 4 | no desk runs |
| 5 | a failed verification, or a desk that is not healthy |
"""

_NAMES = ", ".join(f"`{name}` is `{' '.join(words)}`" for name, words in ALIASES.items())


def page() -> str:
    """The whole page."""
    return "\n".join(
        [_HEAD, f"Other names: {_NAMES}.\n", *(_section(path, command) for path, command in commands("", program()))]
    )


def commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Every command that can be run, by its words, as the parser has them."""
    children: dict[str, Any] = getattr(command, "commands", {})
    for name, child in children.items():
        yield from commands(f"{path} {name}".strip(), child)
    if not children:
        yield path, command


def _section(path: str, command: Any) -> str:
    paragraphs = [part.strip("\n") for part in command.help.split("\n\n")]
    says = [" ".join(part.split()) for part in paragraphs if not part.startswith("\b")]
    examples = [part.removeprefix("\b\n") for part in paragraphs if part.startswith("\b")]
    told = [f"## nightdesk {path}", *says, "\n".join(["```sh", *examples, "```"])]
    if parameters := [line for each in command.params if (line := _parameter(each))]:
        told.append("\n".join(["| option | means |", "|---|---|", *parameters]))
    told.append("\n".join(["| exit code | when |", "|---|---|", *(f"| {c:d} | {text} |" for c, text in _codes(path))]))
    told.append(_answers(path))
    return "\n\n".join(told) + "\n"


def _codes(path: str) -> Iterator[tuple[int, str]]:
    return ((int(code), text) for code, text in codes_of(path).items())


def _parameter(each: Any) -> str:
    if each.name == "help":
        return ""
    value = each.metavar or ""
    if each.param_type_name == "argument":
        name = value
    else:
        name = ", ".join([*each.opts, *each.secondary_opts]) + (f" {value}" if value else "")
    cells = (f"`{name}`", each.help or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _answers(path: str) -> str:
    types = ANSWERS[path]
    if not types:
        return "It has no answer in JSON."
    how = "one a line" if path in BY_LINE else "one value"
    return f"With `--json`, {how}: {' or '.join(_name(each) for each in types)}."


def _name(each: Any) -> str:
    inner = get_args(each)
    return f"a list of `{inner[0].__name__}`" if inner else f"`{each.__name__}`"
