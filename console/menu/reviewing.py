"""What came of it: report, analyze."""

from typing import Annotated

import typer

from console.exits import Exit, Quit
from console.menu.common import EVERYWHERE, end, group, where_of

commands = group()


@commands.command(epilog=EVERYWHERE)
def report(
    ctx: typer.Context,
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN|DAY]", help="Id of a run, latest, or a day as 2026-01-31.")
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Two runs side by side, with what differs.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hold a day's artifact against the journal and its seal.")
    ] = False,
) -> None:
    """Tell a run again from the record.

    Writes summary.html, report.md and report.json of the run anew, with the same figures, and prints the text: results,
    risk events, and two verdicts kept apart, on the reliability of the desk and on the economics of the strategy. For a
    day it prints its artifact; with --verify, exit code 5 if file, seal and journal are not one.

    \b
    nightdesk report latest
    nightdesk report --compare 20261121-070822 latest
    nightdesk report 2026-01-31 --verify
    """
    from console.commands import report as command

    named = what or ["latest"]
    if len(named) != (2 if compare else 1):
        raise Quit(Exit.USAGE, "--compare takes two runs" if compare else "name one run, or one day")
    if compare:
        end(command.compare(where_of(ctx), *named))
    end(command.report(where_of(ctx), named[0], verify=verify))


@commands.command(epilog=EVERYWHERE)
def analyze(
    ctx: typer.Context,
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN...]", help="Ids of runs, or latest; none: all.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="Only from then on, by the run's own clock.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Only before then.")] = "",
) -> None:
    """Where results came from.

    Trades by market phase, regime, strategy, exit reason, symbol and hour, each summing to the whole; and what might be
    looked into, where the sample is large enough to say so. Nothing of that is ever applied by the program.

    \b
    nightdesk analyze latest
    nightdesk analyze --since 2026-01-01 --until 2026-02-01 --json
    """
    from console.commands import analyze as command

    end(command.analyze(where_of(ctx), runs or (), since=since, until=until))
