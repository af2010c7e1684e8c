"""The live gate: what it allows, and what a person tells it."""

from getpass import getuser
from pathlib import Path
from typing import Annotated

import typer

from console.exits import Exit, Quit
from console.menu.common import EVERYWHERE, Reason, Tree, end, group, where_of

commands = group()


@commands.command(epilog=EVERYWHERE)
def gate(
    ctx: typer.Context,
    admit: Annotated[
        Path | None, typer.Option("--admit", metavar="FILE", help="Take this signed verdict as evidence.")
    ] = None,
    bypass: Annotated[
        str | None, typer.Option("--bypass", metavar="15m", help="Positions of one euro without evidence, for so long.")
    ] = None,
    venue: Annotated[str | None, typer.Option(metavar="NAME", help="As for `run`.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", min=0, help="As for `run`.")] = None,
    reason: Reason = "",
    tree: Tree = None,
) -> None:
    """What the evidence allows live orders, and why no more.

    DENIED, PAPER_ONLY, LIMITED or FULL. It never holds back a paper order, nor one that reduces risk.

    \b
    nightdesk gate
    nightdesk gate --env live --admit 72h-20261121-070822.json --reason "seen the report"
    nightdesk gate --env live --bypass 10m --reason "the venue moved its endpoint"
    """
    from console.commands import gate as command

    where = where_of(ctx)
    if admit is not None and bypass is not None:
        raise Quit(Exit.USAGE, "--admit and --bypass are two acts: give one of them")
    if admit is not None:
        end(command.admit(where, admit, reason))
    if bypass is not None:
        end(command.bypass(where, bypass, getuser(), reason))
    end(command.gate(where, tree, venue, seed))
