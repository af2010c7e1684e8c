"""Readiness in writing."""

from pathlib import Path
from typing import Annotated

import typer

from console.menu.common import EVERYWHERE, Tree, end, group, where_of

commands = group()


@commands.command(epilog=EVERYWHERE)
def certify(
    ctx: typer.Context,
    controls: Annotated[bool, typer.Option("--controls", help="The controls of regulated trading instead.")] = False,
    verify: Annotated[Path | None, typer.Option("--verify", metavar="FILE", help="Check a certificate.")] = None,
    tree: Tree = None,
) -> None:
    """Decide go or no-go from what is on record, and sign it.

    What was not run is listed as NOT RUN and never assumed. Exit code 5 for a NO-GO. With --controls: what regulated
    trading asks for in forty-six controls, each with its evidence, what is open, or why it does not apply. A yardstick,
    no claim.

    \b
    nightdesk certify
    nightdesk certify --controls
    nightdesk certify --verify certificate-2026-11-21T070822.json
    """
    from console.commands import certify as command

    where = where_of(ctx)
    if controls:
        end(command.controls(where))
    if verify is not None:
        end(command.verify(where, verify))
    end(command.certify(where, tree))
