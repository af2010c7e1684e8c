"""Proving a desk: the validation protocols, and their verdicts judged again."""

from typing import Annotated

import typer

from console.exits import Exit, Quit
from console.menu.common import EVERYWHERE, Data, Tree, end, group, where_of
from console.options import parse_speed

commands = group("Run a validation protocol unattended and judge it; the same words go on with one that was cut off.")

SpeedOption = Annotated[str, typer.Option("--speed", metavar="1|N|max", help="Other than 1: a rehearsal.")]
SeedOption = Annotated[int | None, typer.Option("--seed", metavar="N", min=0, help="Of every random draw.")]
SymbolsOption = Annotated[str | None, typer.Option("--symbols", metavar="A,B", help="What to trade.")]
StrategyOption = Annotated[str | None, typer.Option("--strategy", metavar="NAME", help="One strategy by id or name.")]
Faults = Annotated[
    bool, typer.Option("--faults", help="Break things on purpose on the way, and score it; with --speed max.")
]
Restart = Annotated[bool, typer.Option("--restart", help="End a protocol that is under way as failed, and begin anew.")]


@commands.command("autonomy", epilog=EVERYWHERE)
def validate_autonomy(
    ctx: typer.Context,
    data: Data = None,
    speed: SpeedOption = "1",
    seed: SeedOption = None,
    symbols: SymbolsOption = None,
    strategy: StrategyOption = None,
    faults: Faults = False,
    restart: Restart = False,
    tree: Tree = None,
) -> None:
    """Ten minutes alone: ten points, nine criteria of success, seven of failure.

    \b
    nightdesk validate autonomy
    nightdesk validate autonomy --speed max
    """
    _run(ctx, "autonomy", data, speed, seed, symbols, strategy, None, faults, restart, tree)


@commands.command("72h", epilog=EVERYWHERE)
def validate_72h(
    ctx: typer.Context,
    data: Data = None,
    speed: SpeedOption = "1",
    seed: SeedOption = None,
    symbols: SymbolsOption = None,
    strategy: StrategyOption = None,
    faults: Faults = False,
    restart: Restart = False,
    tree: Tree = None,
) -> None:
    """Three days without a hand on it: uptime, errors, integrity, and what the strategy made of them.

    \b
    nightdesk validate 72h
    nightdesk validate 72h --speed max --home rehearsal
    """
    _run(ctx, "72h", data, speed, seed, symbols, strategy, None, faults, restart, tree)


@commands.command("week", epilog=EVERYWHERE)
def validate_week(
    ctx: typer.Context,
    data: Data = None,
    speed: SpeedOption = "1",
    seed: SeedOption = None,
    symbols: SymbolsOption = None,
    strategy: StrategyOption = None,
    faults: Faults = False,
    restart: Restart = False,
    tree: Tree = None,
) -> None:
    """A week without an error.

    \b
    nightdesk validate week
    """
    _run(ctx, "week", data, speed, seed, symbols, strategy, None, faults, restart, tree)


@commands.command("audit", epilog=EVERYWHERE)
def validate_audit(
    ctx: typer.Context,
    days: Annotated[int | None, typer.Option(metavar="N", help="Trading days, 14 to 30; default 16.")] = None,
    data: Data = None,
    speed: SpeedOption = "1",
    seed: SeedOption = None,
    symbols: SymbolsOption = None,
    strategy: StrategyOption = None,
    faults: Faults = False,
    restart: Restart = False,
    tree: Tree = None,
) -> None:
    """Consecutive trading days on an unchanged strategy, fifteen criteria, all of them.

    \b
    nightdesk validate audit --days 16
    """
    _run(ctx, "audit", data, speed, seed, symbols, strategy, days, faults, restart, tree)


@commands.command("check", epilog=EVERYWHERE)
def validate_check(
    ctx: typer.Context,
    protocol_id: Annotated[str, typer.Argument(metavar="[PROTOCOL]", help="Which; default: the newest.")] = "",
) -> None:
    """Judge a finished protocol again, from the database alone.

    Exit code 5 where it is no pass, or where the record no longer says what was signed.

    \b
    nightdesk validate check
    """
    from console.commands import validate as command

    end(command.check(where_of(ctx), protocol_id))


def _run(
    ctx: typer.Context,
    name: str,
    data: Data,
    speed: str,
    seed: int | None,
    symbols: str | None,
    strategy: str | None,
    days: int | None,
    faults: bool,
    restart: bool,
    tree: Tree,
) -> None:
    from console.commands import validate as command

    try:
        pace = parse_speed(speed)
    except ValueError as wrong:
        raise Quit(Exit.USAGE, f"--speed {speed}: {wrong}") from wrong
    asked = command.Asked(
        tree=tree,
        data=data or (),
        speed=pace,
        seed=seed,
        symbols=symbols,
        strategy=strategy,
        days=days,
        faults=faults,
        restart=restart,
    )
    end(command.validate(where_of(ctx), name, asked))
