"""A desk on another machine: remote kill, pause, flatten, status, sign, key."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from console.menu.common import EVERYWHERE, Authority, Reason, Url, end, group, where_of

commands = group("Stop or look at a desk on another machine.")


def _remote(ctx: typer.Context, act: str, url: str, reason: str, authority: Path | None) -> NoReturn:
    from console.commands import remote as command

    end(command.send(where_of(ctx), act, url, reason, authority))


@commands.command("kill", epilog=EVERYWHERE)
def remote_kill(ctx: typer.Context, url: Url = "", reason: Reason = "", ca: Authority = None) -> None:
    """Stop all trading on the desk behind a control endpoint, now.

    The command is signed with NIGHTDESK_CONTROL_KEY and holds for half a minute, once. A desk that does not answer its
    endpoint is killed by its kill file.

    \b
    nightdesk remote kill --url https://desk.example:8787 --reason "the feed is wrong"
    """
    _remote(ctx, "kill", url, reason, ca)


@commands.command("pause", epilog=EVERYWHERE)
def remote_pause(ctx: typer.Context, url: Url = "", reason: Reason = "", ca: Authority = None) -> None:
    """Stop new entries there. Only on its own machine can it be resumed.

    \b
    nightdesk remote pause --url https://desk.example:8787
    """
    _remote(ctx, "pause", url, reason, ca)


@commands.command("flatten", epilog=EVERYWHERE)
def remote_flatten(ctx: typer.Context, url: Url = "", reason: Reason = "", ca: Authority = None) -> None:
    """Close every position there, then stay paused.

    \b
    nightdesk remote flatten --url https://desk.example:8787 --reason "news at eight"
    """
    _remote(ctx, "flatten", url, reason, ca)


@commands.command("status", epilog=EVERYWHERE)
def remote_status(ctx: typer.Context, url: Url = "", ca: Authority = None) -> None:
    """What the desk there is doing. Exit code 5 when it is not healthy.

    \b
    nightdesk remote status --url https://desk.example:8787
    """
    _remote(ctx, "status", url, "", ca)


@commands.command("sign", epilog=EVERYWHERE)
def remote_sign(
    ctx: typer.Context,
    act: Annotated[str, typer.Argument(metavar="kill|pause|flatten", help="What to sign.")],
    reason: Reason = "",
) -> None:
    """Print a signed command, to be put where the desk polls for one. It holds for fifteen minutes there.

    \b
    nightdesk remote sign kill --reason "lost the line" >kill.json
    """
    from console.commands import remote as command

    end(command.sign_only(where_of(ctx), act, reason))


@commands.command("key", epilog=EVERYWHERE)
def remote_key() -> None:
    """Print a fresh control key. Put it into .env (mode 0600) on both machines, and nowhere else.

    \b
    nightdesk remote key
    echo "NIGHTDESK_CONTROL_KEY=$(nightdesk remote key)" >>.env
    """
    from console.commands import remote as command

    end(command.fresh_key())
