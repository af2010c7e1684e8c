"""The configuration: config check, show."""

import typer

from console.menu.common import EVERYWHERE, Tree, end, group, where_of

commands = group("The configuration: is it good, what is in force.")


@commands.command("check", epilog=EVERYWHERE)
def config_check(ctx: typer.Context, tree: Tree = None) -> None:
    """Say whether the configuration can be used; every problem is named, with file, key, value and rule.

    \b
    nightdesk config check --env live
    """
    from console.commands import settings

    end(settings.check(where_of(ctx), tree))


@commands.command("show", epilog=EVERYWHERE)
def config_show(ctx: typer.Context, tree: Tree = None) -> None:
    """Print every value in force and where it came from.

    \b
    nightdesk config show
    nightdesk config show --config my-config --json
    """
    from console.commands import settings

    end(settings.show(where_of(ctx), tree))
