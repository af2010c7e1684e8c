"""Around the desk: doctor, venue."""

from typing import Annotated

import typer

from console.menu.common import EVERYWHERE, Data, Tree, end, group, where_of

commands = group()


@commands.command(epilog=EVERYWHERE)
def doctor(
    ctx: typer.Context,
    tree: Tree = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Make missing folders and close open ones; deletes nothing.")
    ] = False,
) -> None:
    """Check what a run needs.

    Versions, configuration, folders, disk, lock, kill switch, books.

    \b
    nightdesk doctor
    nightdesk doctor --fix
    """
    from console.commands import doctor as command

    end(command.doctor(where_of(ctx), tree, fix=fix))


@commands.command(epilog=EVERYWHERE)
def venue(
    port: Annotated[int, typer.Option(metavar="N", help="HTTP on N, WebSocket on N+1; 0: any free ones.")] = 0,
    data: Data = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the generated market.")] = None,
    speed: Annotated[int, typer.Option(metavar="N", help="Venue seconds a second.")] = 1,
) -> None:
    """Run the simulated venue by itself.

    It listens on this machine only. Its first output line is JSON with both ports.

    \b
    nightdesk venue --port 8800
    nightdesk venue --data bars/BTCUSDT.csv.gz --speed 60
    """
    from console.commands import start

    start.venue(port, data or (), seed, speed)
