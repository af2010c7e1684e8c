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
    compare: Annotated[
        bool, typer.Option("--compare", help="Two runs, or report.json files of runs, side by side.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hold a day's artifact against the journal and its seal.")
    ] = False,
    since: Annotated[str, typer.Option(metavar="DAY", help="Tell the days from this one on as one.")] = "",
    until: Annotated[str, typer.Option(metavar="DAY", help="The last of these days.")] = "",
) -> None:
    """Tell a run again from the record.

    Writes summary.html, report.md and report.json of the run anew, with the same figures, and prints the text: results,
    risk events, and two verdicts kept apart, on the reliability of the desk and on the economics of the strategy. For a
    day it prints its artifact; with --verify, exit code 5 if file, seal and journal are not one. With --since or
    --until it tells several days as one, whatever runs they were lived in, and leaves the text in artifacts.

    \b
    nightdesk report latest
    nightdesk report --compare 20261121-070822 latest
    nightdesk report 2026-01-31 --verify
    nightdesk report --since 2026-01-05 --until 2026-01-26
    """
    from console.commands import compare as comparing
    from console.commands import days
    from console.commands import report as command

    named, where = what or [], where_of(ctx)
    if len(named) > 1 + compare or (compare and len(named) < 2):
        raise Quit(Exit.USAGE, "--compare takes two runs" if compare else "name one run, or one day")
    if compare:
        end(comparing.compare(where, *named))
    if since or until:
        end(days.days(where, _day(since), _day(until)))
    run = named[0] if named else command.LATEST
    if days.is_day(run):
        end(days.day(where, run, verify=verify))
    if verify:
        raise Quit(Exit.USAGE, "--verify takes a day, as 2026-01-31; `replay RUN --verify` checks a run")
    end(command.report(where, run))


def _day(text: str) -> str:
    """A day, or nothing. Raises Quit."""
    from console.commands import days

    if text and not days.is_day(text):
        raise Quit(Exit.USAGE, f"{text!r} is no day: write 2026-01-31")
    return text


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
