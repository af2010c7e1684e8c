"""Around the desk: doctor, clean, completion, venue."""

from typing import Annotated

import typer

from console.menu.common import EVERYWHERE, Data, Tree, end, group, where_of

commands = group()


@commands.command(epilog=EVERYWHERE)
def doctor(
    ctx: typer.Context,
    tree: Tree = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Make missing folders, close open ones, clear a stale lock.")
    ] = False,
) -> None:
    """Check what a run needs.

    Versions, configuration, folders, disk, clock, lock, kill switch, books, keys. Exit code 1 if one fails. With --fix
    it says what it has put right; no trade data is ever deleted.

    \b
    nightdesk doctor
    nightdesk doctor --fix
    """
    from console.commands import doctor as command

    end(command.doctor(where_of(ctx), tree, fix=fix))


@commands.command(epilog=EVERYWHERE)
def clean(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove what a dead desk left behind.

    Only what the next start makes anew, and only while no desk runs: a stale lock and socket, the ballast, unfinished
    files. Never books, archives, keys, runs, artifacts or logs.

    \b
    nightdesk clean --dry-run
    nightdesk clean
    """
    from console.commands import clean as command

    end(command.clean(where_of(ctx), dry_run=dry_run))


@commands.command(epilog=EVERYWHERE)
def completion(
    ctx: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish", help="For which shell.")],
) -> None:
    """Print the completion of commands and options for a shell.

    \b
    nightdesk completion bash >~/.local/share/bash-completion/completions/nightdesk
    nightdesk completion zsh >"${fpath[1]}/_nightdesk"
    nightdesk completion fish >~/.config/fish/completions/nightdesk.fish
    """
    from console.commands import completion as command

    end(command.completion(where_of(ctx), shell))


@commands.command(epilog=EVERYWHERE)
def venue(
    port: Annotated[int, typer.Option(metavar="N", help="HTTP on N, WebSocket on N+1; 0: any free ones.")] = 0,
    data: Data = None,
    seed: Annotated[int | None, typer.Option(metavar="N", min=0, help="Of the generated market.")] = None,
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
