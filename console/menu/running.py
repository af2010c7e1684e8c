"""Starting a desk and looking at it: run, attach, serve, status."""

from typing import Annotated

import typer

from console.exits import Exit, Quit
from console.menu.common import EVERYWHERE, Data, Tree, end, group, where_of
from console.options import parse_speed

commands = group()


@commands.command(epilog=EVERYWHERE)
def run(
    ctx: typer.Context,
    venue: Annotated[str | None, typer.Option(metavar="NAME", help="sim, the built-in one.")] = None,
    broker: Annotated[str | None, typer.Option(metavar="paper|venue", help="Who fills orders.")] = None,
    data: Data = None,
    symbols: Annotated[str | None, typer.Option(metavar="A,B", help="What to trade.")] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="NAME", help="One strategy by id, name or module:Class.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option(metavar="90s|10m|72h|14d", help="How long; default: until stopped.")
    ] = None,
    speed: Annotated[str, typer.Option(metavar="1|N|max", help="How fast the built-in market goes.")] = "1",
    seed: Annotated[int | None, typer.Option(metavar="N", min=0, help="Of every random draw.")] = None,
    headless: Annotated[bool, typer.Option("--headless", help="No console; implied without a terminal.")] = False,
    tree: Tree = None,
    keep_positions: Annotated[bool, typer.Option("--keep-positions", help="Leave positions open at the end.")] = False,
) -> None:
    """Start the desk and run it to its end.

    \b
    nightdesk run                                       # console on the built-in venue
    nightdesk run --headless --duration 72h             # unattended, for three days
    nightdesk run --speed max --data bars/ --seed 3     # recorded data, as fast as it goes
    """
    from console.commands import start

    asked = start.Asked(venue, broker, symbols, strategy, duration, seed)
    try:
        pace = parse_speed(speed)
    except ValueError as wrong:
        raise Quit(Exit.USAGE, f"--speed {speed}: {wrong}") from wrong
    code = start.run(
        where_of(ctx), asked, tree=tree, data=data or (), speed=pace, headless=headless, keep_positions=keep_positions
    )
    end(code)


@commands.command(epilog=EVERYWHERE)
def attach(
    ctx: typer.Context,
    view: Annotated[bool, typer.Option("--view", help="Only watch: keys that act say so and do nothing.")] = False,
) -> None:
    """Open a console on a desk that runs elsewhere.

    Leaving the console leaves the desk alone. When the desk ends or is lost, it waits for the next.

    \b
    nightdesk attach
    nightdesk attach --view
    """
    from console.commands import start

    end(start.attach(where_of(ctx), only_watches=view))


@commands.command(epilog=EVERYWHERE)
def serve(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(metavar="N", help="Where to listen; 0: any free port.")] = 8765,
    operator: Annotated[bool, typer.Option("--operator", help="Keys act; default: pages only watch.")] = False,
) -> None:
    """Show the console in a browser on this machine.

    Prints an address with a token, good until it ends. Listens on 127.0.0.1 only; every page is a console of its own.

    \b
    nightdesk serve
    nightdesk serve --operator --port 9000
    """
    from console.commands import serve as command

    end(command.serve(where_of(ctx), port, operator=operator))


@commands.command(epilog=EVERYWHERE)
def status(
    ctx: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Exit code 5 when the desk is not healthy.")] = False,
) -> None:
    """What the desk is doing. Exit code 4 when none runs.

    \b
    nightdesk status
    nightdesk status --check >/dev/null || echo "look after the desk"
    nightdesk status --json | jq .equity
    """
    from console.commands import status as command

    end(command.status(where_of(ctx), check=check))
