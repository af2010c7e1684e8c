"""Whom the desk tells: alert ack, test, list."""

from typing import Annotated

import typer

from console.menu.common import EVERYWHERE, Reason, end, group, where_of

commands = group("Whom the desk tells what has happened.")


@commands.command("ack", epilog=EVERYWHERE)
def alert_ack(ctx: typer.Context, reason: Reason = "") -> None:
    """Answer every alert so far: somebody has read them, and it is on record who.

    A critical alert without an answer is told again every `remind_every`, and may pause entries (alerts.toml). Every
    other command to the desk is an answer, too.

    \b
    nightdesk alert ack --reason "a late bar, watching it"
    """
    from console.commands import acts
    from engine.core.events import Act

    end(acts.act(where_of(ctx), Act.ACKNOWLEDGE, reason))


@commands.command("test", epilog=EVERYWHERE)
def alert_test(
    ctx: typer.Context,
    channel: Annotated[str, typer.Option(metavar="NAME", help="One channel; default: every one.")] = "",
    severity: Annotated[
        str, typer.Option(metavar="info|warning|critical", help="Default: the least each channel is told of.")
    ] = "",
) -> None:
    """Send a real test alert through every channel.

    Says of each what came of it, why, and what helps. Exit code 1 if one did not take it.

    \b
    nightdesk alert test
    nightdesk alert test --channel pager-duty --severity critical
    """
    from console.commands import alerts

    end(alerts.test(where_of(ctx), channel, severity))


@commands.command("list", epilog=EVERYWHERE)
def alert_list(ctx: typer.Context) -> None:
    """The channels, what each is told, when it last took an alert and when not.

    \b
    nightdesk alert list
    """
    from console.commands import alerts

    end(alerts.show(where_of(ctx)))
