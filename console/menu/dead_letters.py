"""What failed for good: dead-letters list, retry, discard."""

from typing import Annotated

import typer

from console.menu.common import EVERYWHERE, Reason, end, group, where_of

commands = group("What failed for good and may be tried again. Never an order.")


@commands.command("list", epilog=EVERYWHERE)
def dead_letters_list(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also what was done since, or discarded.")] = False,
) -> None:
    """What waits: alerts, backups, reports that could not be recorded.

    \b
    nightdesk dead-letters list
    nightdesk dead-letters list --all --json
    """
    from console.commands import letters

    end(letters.show(where_of(ctx), everything=everything))


@commands.command("retry", epilog=EVERYWHERE)
def dead_letters_retry(
    ctx: typer.Context,
    letter: Annotated[str, typer.Argument(metavar="[ID]", help="Which; default: all that wait.")] = "",
) -> None:
    """Try again what failed, on a desk that is stopped; one that runs does so every hour by itself.

    \b
    nightdesk dead-letters retry
    """
    from console.commands import letters

    end(letters.retry(where_of(ctx), letter))


@commands.command("discard", epilog=EVERYWHERE)
def dead_letters_discard(
    ctx: typer.Context,
    letter: Annotated[str, typer.Argument(metavar="ID", help="Which; `dead-letters list` shows it.")],
    reason: Reason = "",
) -> None:
    """Give a letter up for good, on a desk that is stopped. Needs a reason.

    \b
    nightdesk dead-letters discard backup-5f1c09aa --reason "the disk was replaced"
    """
    from console.commands import letters

    end(letters.discard(where_of(ctx), letter, reason))
