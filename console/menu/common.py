"""What the commands share: the options that mean the same everywhere, and the desk they are about."""

from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from console.commands.where import Where

EVERYWHERE: Final = "Every command also takes --home DIR, --env paper|live and --json, in any position."

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the record.")]
Tree = Annotated[
    Path | None, typer.Option("--config", metavar="DIR", help="A configuration tree in place of the shipped one.")
]
Url = Annotated[
    str, typer.Option("--url", metavar="URL", help="The desk's control endpoint; default $NIGHTDESK_CONTROL_URL.")
]
Authority = Annotated[
    Path | None, typer.Option("--ca", metavar="FILE", help="PEM file to know the endpoint's certificate by.")
]
Data = Annotated[
    list[Path] | None,
    typer.Option("--data", metavar="PATH...", help="Recorded files or folders to play; several may follow."),
]


def group(says: str = "") -> typer.Typer:
    """An empty group of commands."""
    return typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=says or None)


def where_of(ctx: typer.Context) -> Where:
    """The desk the command is about, as the options in front of it say."""
    found = ctx.find_object(Where)
    assert found is not None  # the callback of the program has run
    return found


def end(code: int) -> NoReturn:
    """End the command with an exit code."""
    raise typer.Exit(int(code))
