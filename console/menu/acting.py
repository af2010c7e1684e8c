"""Acting on a running desk, from pause to stop; and the drill of the kill switch."""

from typing import Annotated

import typer

from console.menu.common import EVERYWHERE, Reason, end, group, where_of

commands = group()


@commands.command(epilog=EVERYWHERE)
def pause(ctx: typer.Context, reason: Reason = "") -> None:
    """Stop new entries. Positions stay, and their stops keep working.

    \b
    nightdesk pause --reason "news at two"
    """
    from console.commands import acts
    from engine.core.events import Act

    end(acts.act(where_of(ctx), Act.PAUSE, reason))


@commands.command(epilog=EVERYWHERE)
def resume(ctx: typer.Context, reason: Reason = "") -> None:
    """Lift an operator's pause.

    Says what still blocks entries, if anything does; exit code 1 then.

    \b
    nightdesk resume --reason "news is out"
    """
    from console.commands import acts
    from engine.core.events import Act

    end(acts.act(where_of(ctx), Act.RESUME, reason))


@commands.command(epilog=EVERYWHERE)
def kill(ctx: typer.Context, reason: Reason = "") -> None:
    """Stop all trading now.

    Orders are cancelled, positions closed, and entries refused until `nightdesk rearm`, also after a restart. Needs no
    answer: where the desk is silent for a quarter of a second, the kill file is written.

    \b
    nightdesk kill
    nightdesk kill --reason "wrong symbol list"
    """
    from console.commands import acts

    end(acts.kill(where_of(ctx), reason))


@commands.command(epilog=EVERYWHERE)
def drill(ctx: typer.Context) -> None:
    """Try the kill switch in every way.

    Says how long each took. The desk trades in a temporary folder on the built-in venue; yours is not touched. Exit
    code 5 when a way of killing did not do what it promises. It takes about a minute.

    \b
    nightdesk drill
    nightdesk drill --json | jq '.drills[].flat_ms'
    """
    from console.commands import drill as command

    end(command.drill(where_of(ctx)))


@commands.command(epilog=EVERYWHERE)
def rearm(
    ctx: typer.Context,
    reason: Reason = "",
    confirm: Annotated[str, typer.Option(metavar="TOKEN", help="The token `rearm` shows without this.")] = "",
) -> None:
    """Clear the kill latch.

    Works with the desk running or stopped. Without --confirm it only shows the token.

    \b
    nightdesk rearm
    nightdesk rearm --reason "checked the books" --confirm 5f1c09aa
    """
    from console.commands import acts

    end(acts.rearm(where_of(ctx), reason, confirm))


@commands.command(epilog=EVERYWHERE)
def flatten(ctx: typer.Context, reason: Reason = "") -> None:
    """Close every position, then stay paused.

    Orders are cancelled too; `nightdesk resume` lifts the pause.

    \b
    nightdesk flatten --reason "weekend"
    """
    from console.commands import acts
    from engine.core.events import Act

    end(acts.act(where_of(ctx), Act.FLATTEN, reason))


@commands.command("reset-breaker", epilog=EVERYWHERE)
def reset_breaker(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Which breaker; default: every tripped one.")] = "",
    reason: Reason = "",
) -> None:
    """Release a tripped circuit breaker. Needs a reason.

    \b
    nightdesk reset-breaker consecutive_losses --reason "bad fills explained"
    """
    from console.commands import acts
    from engine.core.events import Act

    end(acts.act(where_of(ctx), Act.RESET_BREAKER, reason, name))


@commands.command(epilog=EVERYWHERE)
def reconcile(
    ctx: typer.Context,
    adopt: Annotated[str, typer.Option("--adopt", metavar="ID", help="Take the broker's side of this one.")] = "",
    reason: Reason = "",
) -> None:
    """Compare the desk's books with the broker's own, now.

    Exit code 0: they agree. Positions, working orders and cash are compared; what differs stops entries until both
    agree. With --adopt the desk takes the broker's side of one discrepancy into its books, on record.

    \b
    nightdesk reconcile
    nightdesk reconcile --adopt 20261121-070822-512-1 --reason "closed by hand at the venue"
    """
    from console.commands import acts

    end(acts.reconcile(where_of(ctx), adopt, reason))


@commands.command(epilog=EVERYWHERE)
def stop(
    ctx: typer.Context,
    reason: Reason = "",
    keep_positions: Annotated[bool, typer.Option("--keep-positions", help="Leave positions open.")] = False,
    wait: Annotated[bool, typer.Option(help="Return when the desk has ended.")] = True,
) -> None:
    """End the desk in order.

    Orders are cancelled, positions closed, the report written.

    \b
    nightdesk stop
    nightdesk stop --keep-positions --reason "restart"
    """
    from console.commands import acts

    end(acts.stop(where_of(ctx), reason, keep_positions=keep_positions, wait=wait))
