"""What the desk did and why: runs, explain, replay, errors."""

from typing import Annotated

import typer

from console.menu.common import EVERYWHERE, end, group, where_of

commands = group()


@commands.command(epilog=EVERYWHERE)
def runs(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="At most so many.")] = 20,
) -> None:
    """The runs of the desk, newest first.

    When, how long, how each ended, its trades and what it earned. A run is named by its start in UTC.

    \b
    nightdesk runs
    nightdesk runs --limit 100 --json
    """
    from console.commands import runs as command

    end(command.runs(where_of(ctx), limit))


@commands.command(epilog=EVERYWHERE)
def explain(
    ctx: typer.Context,
    signal: Annotated[
        str, typer.Argument(metavar="SIGNAL", help="Id of a signal, order, fill or trade, or its end; or last.")
    ],
) -> None:
    """Everything that followed from a signal.

    Its verdict with the reason, its orders, fills and trade. The end of an id, as the console shows it, means the
    newest run that has it.

    \b
    nightdesk explain last
    nightdesk explain 2854-1
    nightdesk explain 20261121-085034-2854-1
    """
    from console.commands import history

    end(history.explain(where_of(ctx), signal))


@commands.command(epilog=EVERYWHERE)
def replay(
    ctx: typer.Context,
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or latest.")],
    since: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Where the console opens, or from when on to print.")
    ] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare with the journal; exit code 5 if it differs.")
    ] = False,
    prints: Annotated[
        bool, typer.Option("--print", help="Print what was decided; implied without a terminal.")
    ] = False,
) -> None:
    """Look at a run again, or verify it.

    The same inputs go through a fresh core, which must decide the same. On a terminal the console opens on them: play,
    pause, step and seek; nothing can be commanded.

    \b
    nightdesk replay latest
    nightdesk replay latest --verify
    nightdesk replay 20261121-070822 --from 2026-11-21T08:00:00Z
    """
    from console.commands import replay as command

    end(command.replay(where_of(ctx), run_id, since=since, verify=verify, prints=prints))


@commands.command(epilog=EVERYWHERE)
def errors(
    ctx: typer.Context,
    run: Annotated[str, typer.Option(metavar="RUN", help="Id of a run, or latest; default: all runs.")] = "",
) -> None:
    """What went wrong, counted.

    Errors that differ only in ids and numbers are one line: how often, first and last seen, the first of them whole.

    \b
    nightdesk errors
    nightdesk errors --run latest --json
    """
    from console.commands import errors as command

    end(command.errors(where_of(ctx), run))
