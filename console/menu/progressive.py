"""Stages of live money."""

from typing import Annotated

import typer

from console.menu.common import EVERYWHERE, Tree, end, group, where_of

commands = group()


@commands.command(epilog=EVERYWHERE)
def progressive(
    ctx: typer.Context,
    stage: Annotated[int | None, typer.Option(metavar="1|2|3", min=1, max=3, help="Only if it is the next.")] = None,
    duration: Annotated[str | None, typer.Option(metavar="1h|24h", help="How long the stage lasts.")] = None,
    venue: Annotated[str | None, typer.Option(metavar="NAME", help="As for `run`.")] = None,
    symbols: Annotated[str | None, typer.Option(metavar="A,B", help="What to trade.")] = None,
    strategy: Annotated[str | None, typer.Option(metavar="NAME", help="One strategy by id or name.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", min=0, help="As for `run`.")] = None,
    tree: Tree = None,
) -> None:
    """Run the next stage of live money: positions of at most one, ten, then a hundred euros.

    Needs the live gate at LIMITED. A stage is passed by trading as the model says, not by profit; a failure takes the
    level back, and asks for the validation again.

    \b
    nightdesk progressive --env live --duration 24h
    nightdesk progressive --env live --venue sim --duration 10m   # the built-in venue stands in for a real one
    """
    from console.commands import progressive as command

    asked = command.Asked(stage, duration, venue, symbols, strategy, seed, tree)
    end(command.progressive(where_of(ctx), asked))
