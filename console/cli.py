"""The command line: `nightdesk` and `python -m console`.

Every command takes `--home DIR`, `--env paper|live` and `--json` in any position; they are moved to the front before
the rest is read. Command modules are imported only when their command runs, so that `kill` starts fast and headless
runs never load the console.
"""

import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer

from console import say
from console.commands.where import find
from console.exits import Exit, Quit
from console.menu import (
    acting,
    alert,
    audit,
    certify,
    config,
    dead_letters,
    gate,
    looking,
    progressive,
    remote,
    reviewing,
    running,
    upkeep,
    validate,
)
from console.menu.common import EVERYWHERE, end

COMMON_FLAGS: Final = ("--json",)
COMMON_VALUES: Final = ("--home", "--env")
TAKES_MANY: Final = "--data"
ALIASES: Final = {"dlq": ["dead-letters"], "export": ["audit", "export"]}
"""Other names of commands, which scripts and other programs know."""
_TAKE_DATA: Final = frozenset({"run", "validate", "venue"})

WRONG_USAGE: Final = cast(type[typer.BadParameter], typer.BadParameter.__mro__[1])
"""What typer raises for any wrong usage: the parent of the one error it gives a public name."""

app = typer.Typer(
    name="nightdesk",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EVERYWHERE,
)
for nameless in (running, acting, looking, reviewing, upkeep, gate, certify, progressive):
    app.add_typer(nameless.commands)
for name, group in {
    "alert": alert,
    "audit": audit,
    "config": config,
    "dead-letters": dead_letters,
    "remote": remote,
    "validate": validate,
}.items():
    app.add_typer(group.commands, name=name, epilog=EVERYWHERE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Everything refused by name ends here as one message, never as a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    json_wanted = "--json" in arguments
    try:
        # Left to itself, the parser prints wrong usage as plain text and exits; for JSON it has to hand it over.
        return int(app(args=arranged(arguments), prog_name="nightdesk", standalone_mode=not json_wanted) or Exit.DONE)
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as failure:
        return _refused(failure, json_wanted=json_wanted)


def program() -> Any:
    """The commands as the parser knows them, a tree; for what is told about all of them."""
    return typer.main.get_command(app)


def arranged(arguments: Sequence[str]) -> list[str]:
    """The arguments with the common options in front, the command by its own name, and every path after `--data` given
    its own `--data`.
    """
    front: list[str] = []
    rest: list[str] = []
    tokens = iter(arguments)
    for token in tokens:
        if token == "--":
            rest += [token, *tokens]
        elif token in COMMON_FLAGS or token.startswith(tuple(f"{option}=" for option in COMMON_VALUES)):
            front.append(token)
        elif token in COMMON_VALUES:
            front += [token, _value(token, tokens)]
        else:
            rest.append(token)
    rest[:1] = ALIASES.get(rest[0], rest[:1]) if rest else []
    return [*front, *(_each_with_its_flag(rest) if rest and rest[0] in _TAKE_DATA else rest)]


def _value(option: str, tokens: Iterator[str]) -> str:
    value = next(tokens, None)
    if value is None or value.startswith("--"):
        raise Quit(Exit.USAGE, f"{option} needs a value")
    return value


def _each_with_its_flag(tokens: Sequence[str]) -> Iterator[str]:
    many = False
    for index, token in enumerate(tokens):
        if token.startswith("-"):
            many = token == TAKES_MANY
        elif many and tokens[index - 1] != TAKES_MANY:
            yield TAKES_MANY
        yield token


def _refused(failure: Exception, *, json_wanted: bool) -> int:
    """Say what was refused and give its exit code; what is not known here is a bug and goes on as it came."""
    code = _exit_code(failure)
    if code is None:
        raise failure
    if json_wanted:
        text = failure.format_message() if isinstance(failure, WRONG_USAGE) else str(failure)
        say.as_json({"error": text, "exit_code": int(code)})
    else:
        say.aside(f"nightdesk: {failure}")
    return code


def _exit_code(failure: Exception) -> Exit | None:
    from engine.session.errors import SessionError
    from engine.session.home import HomeRefused
    from engine.session.layers import ConfigRefused
    from engine.session.lock import AlreadyRunning
    from engine.session.remote import NotRunning
    from engine.strategies import StrategyError
    from store.errors import StoreError

    if isinstance(failure, WRONG_USAGE):
        return Exit.USAGE
    match failure:
        case Quit():
            return failure.code
        case ConfigRefused() | HomeRefused() | StrategyError():
            return Exit.USAGE
        case AlreadyRunning():
            return Exit.ALREADY_RUNNING
        case NotRunning():
            return Exit.NOT_RUNNING
        case SessionError() | StoreError():
            return Exit.ERROR
        case _:
            return None


def _version(wanted: bool) -> None:
    if wanted:
        say.line(f"nightdesk {metadata.version('nightdesk')}")
        end(Exit.DONE)


@app.callback()
def nightdesk(
    ctx: typer.Context,
    home: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of all desks; default $NIGHTDESK_HOME or .nightdesk.")
    ] = None,
    env: Annotated[str | None, typer.Option(metavar="paper|live", help="Which desk; default paper.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which this is.")
    ] = False,
) -> None:
    """An operator console for unattended trading: run a desk, watch it, stop it, explain it.

    Exit codes: 0 done; 1 an error or a safety stop; 2 wrong usage or configuration; 3 already running; 4 not running;
    5 a failed verification.
    """
    ctx.obj = find(home, env, as_json)
