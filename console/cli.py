"""The command line: `nightdesk` and `python -m console`.

Every command takes `--home DIR`, `--env paper|live` and `--json` in any position; they are moved to the front before
the rest is read. Command modules are imported only when their command runs, so that `kill` starts fast and headless
runs never load the console.
"""

import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated, Final, NoReturn, cast

import typer

from console import say
from console.commands.where import Where, find
from console.exits import Exit, Quit
from console.options import parse_speed

COMMON_FLAGS: Final = ("--json",)
COMMON_VALUES: Final = ("--home", "--env")
TAKES_MANY: Final = "--data"
_TAKE_DATA: Final = frozenset({"run", "venue"})

WRONG_USAGE: Final = cast(type[typer.BadParameter], typer.BadParameter.__mro__[1])
"""What typer raises for any wrong usage: the parent of the one error it gives a public name."""

EVERYWHERE: Final = "Every command also takes --home DIR, --env paper|live and --json, in any position."

app = typer.Typer(
    name="nightdesk",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EVERYWHERE,
)
audit = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What the journal holds, and whether it is whole."
)
config = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The configuration: is it good, what is in force."
)
dead_letters = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What failed for good and may be tried again. Never an order."
)
remote = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Stop or look at a desk on another machine, by signed commands."
)
alert = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Whom the desk tells what has happened.")
app.add_typer(alert, name="alert", epilog=EVERYWHERE)
app.add_typer(audit, name="audit", epilog=EVERYWHERE)
app.add_typer(config, name="config", epilog=EVERYWHERE)
app.add_typer(dead_letters, name="dead-letters", epilog=EVERYWHERE)
app.add_typer(remote, name="remote", epilog=EVERYWHERE)

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the record.")]
Tree = Annotated[
    Path | None, typer.Option("--config", metavar="DIR", help="A configuration tree in place of the shipped one.")
]
Url = Annotated[
    str, typer.Option("--url", metavar="URL", help="The desk's control endpoint; default $NIGHTDESK_CONTROL_URL.")
]
Authority = Annotated[
    Path | None, typer.Option("--ca", metavar="FILE", help="PEM file to know the endpoint's certificate by.")
]
Data = Annotated[
    list[Path] | None,
    typer.Option("--data", metavar="PATH...", help="Recorded files or folders to play; several may follow."),
]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Everything refused by name ends here as one message, never as a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    json_wanted = "--json" in arguments
    try:
        # Left to itself, the parser prints wrong usage as plain text and exits; for JSON it has to hand it over.
        return int(app(args=arranged(arguments), prog_name="nightdesk", standalone_mode=not json_wanted) or Exit.DONE)
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as failure:
        return _refused(failure, json_wanted=json_wanted)


def arranged(arguments: Sequence[str]) -> list[str]:
    """The arguments with the common options in front, and every path after `--data` given its own `--data`."""
    front: list[str] = []
    rest: list[str] = []
    tokens = iter(arguments)
    for token in tokens:
        if token == "--":
            rest += [token, *tokens]
        elif token in COMMON_FLAGS or token.startswith(tuple(f"{option}=" for option in COMMON_VALUES)):
            front.append(token)
        elif token in COMMON_VALUES:
            front += [token, _value(token, tokens)]
        else:
            rest.append(token)
    return [*front, *(_each_with_its_flag(rest) if rest and rest[0] in _TAKE_DATA else rest)]


def _value(option: str, tokens: Iterator[str]) -> str:
    value = next(tokens, None)
    if value is None or value.startswith("--"):
        raise Quit(Exit.USAGE, f"{option} needs a value")
    return value


def _each_with_its_flag(tokens: Sequence[str]) -> Iterator[str]:
    many = False
    for index, token in enumerate(tokens):
        if token.startswith("-"):
            many = token == TAKES_MANY
        elif many and tokens[index - 1] != TAKES_MANY:
            yield TAKES_MANY
        yield token


def _refused(failure: Exception, *, json_wanted: bool) -> int:
    """Say what was refused and give its exit code; what is not known here is a bug and goes on as it came."""
    code = _exit_code(failure)
    if code is None:
        raise failure
    if json_wanted:
        text = failure.format_message() if isinstance(failure, WRONG_USAGE) else str(failure)
        say.as_json({"error": text, "exit_code": int(code)})
    else:
        say.aside(f"nightdesk: {failure}")
    return code


def _exit_code(failure: Exception) -> Exit | None:
    from engine.session.errors import SessionError
    from engine.session.home import HomeRefused
    from engine.session.layers import ConfigRefused
    from engine.session.lock import AlreadyRunning
    from engine.session.remote import NotRunning
    from engine.strategies import StrategyError
    from store.errors import StoreError

    if isinstance(failure, WRONG_USAGE):
        return Exit.USAGE
    match failure:
        case Quit():
            return failure.code
        case ConfigRefused() | HomeRefused() | StrategyError():
            return Exit.USAGE
        case AlreadyRunning():
            return Exit.ALREADY_RUNNING
        case NotRunning():
            return Exit.NOT_RUNNING
        case SessionError() | StoreError():
            return Exit.ERROR
        case _:
            return None


def _end(code: int) -> NoReturn:
    raise typer.Exit(int(code))


def _version(wanted: bool) -> None:
    if wanted:
        say.line(f"nightdesk {metadata.version('nightdesk')}")
        _end(Exit.DONE)


@app.callback()
def nightdesk(
    ctx: typer.Context,
    home: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of all desks; default $NIGHTDESK_HOME or .nightdesk.")
    ] = None,
    env: Annotated[str | None, typer.Option(metavar="paper|live", help="Which desk; default paper.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which this is.")
    ] = False,
) -> None:
    """An operator console for unattended trading: run a desk, watch it, stop it, explain it.

    Exit codes: 0 done; 1 an error or a safety stop; 2 wrong usage or configuration; 3 already running; 4 not running;
    5 a failed verification.
    """
    ctx.obj = find(home, env, as_json)


def _where(ctx: typer.Context) -> Where:
    found = ctx.find_object(Where)
    assert found is not None  # the callback above has run
    return found


@app.command(epilog=EVERYWHERE)
def run(
    ctx: typer.Context,
    venue: Annotated[str | None, typer.Option(metavar="NAME", help="sim, the built-in one.")] = None,
    broker: Annotated[str | None, typer.Option(metavar="paper|venue", help="Who fills orders.")] = None,
    data: Data = None,
    symbols: Annotated[str | None, typer.Option(metavar="A,B", help="What to trade.")] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="NAME", help="One strategy by id, name or module:Class.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option(metavar="90s|10m|72h|14d", help="How long; default: until stopped.")
    ] = None,
    speed: Annotated[str, typer.Option(metavar="1|N|max", help="How fast the built-in market goes.")] = "1",
    seed: Annotated[int | None, typer.Option(min=0, help="Of every random draw.")] = None,
    headless: Annotated[bool, typer.Option("--headless", help="No console; implied without a terminal.")] = False,
    tree: Tree = None,
    keep_positions: Annotated[bool, typer.Option("--keep-positions", help="Leave positions open at the end.")] = False,
) -> None:
    """Start the desk and run it to its end.

    \b
    nightdesk run                                       console on the built-in venue
    nightdesk run --headless --duration 72h             unattended, for three days
    nightdesk run --speed max --data bars/ --seed 3     recorded data, as fast as it goes
    """
    from console.commands import start

    asked = start.Asked(venue, broker, symbols, strategy, duration, seed)
    try:
        pace = parse_speed(speed)
    except ValueError as wrong:
        raise Quit(Exit.USAGE, f"--speed {speed}: {wrong}") from wrong
    code = start.run(
        _where(ctx), asked, tree=tree, data=data or (), speed=pace, headless=headless, keep_positions=keep_positions
    )
    _end(code)


@app.command(epilog=EVERYWHERE)
def attach(ctx: typer.Context) -> None:
    """Open a console on a desk that runs elsewhere.

    Leaving the console leaves the desk alone.

    \b
    nightdesk attach
    """
    from console.commands import start

    _end(start.attach(_where(ctx)))


@app.command(epilog=EVERYWHERE)
def status(
    ctx: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Exit code 5 when the desk is not healthy.")] = False,
) -> None:
    """What the desk is doing. Exit code 4 when none runs.

    \b
    nightdesk status
    nightdesk status --check >/dev/null || echo "look after the desk"
    nightdesk status --json | jq .equity
    """
    from console.commands import status as command

    _end(command.status(_where(ctx), check=check))


@app.command(epilog=EVERYWHERE)
def pause(ctx: typer.Context, reason: Reason = "") -> None:
    """Stop new entries. Positions stay, and their stops keep working.

    \b
    nightdesk pause --reason "news at two"
    """
    from console.commands import acts
    from engine.core.events import Act

    _end(acts.act(_where(ctx), Act.PAUSE, reason))


@app.command(epilog=EVERYWHERE)
def resume(ctx: typer.Context, reason: Reason = "") -> None:
    """Lift an operator's pause.

    Says what still blocks entries, if anything does; exit code 1 then.

    \b
    nightdesk resume --reason "news is out"
    """
    from console.commands import acts
    from engine.core.events import Act

    _end(acts.act(_where(ctx), Act.RESUME, reason))


@app.command(epilog=EVERYWHERE)
def kill(ctx: typer.Context, reason: Reason = "") -> None:
    """Stop all trading now.

    Orders are cancelled, positions closed, and entries refused until `nightdesk rearm`, also after a restart. Needs no
    answer: where the desk is silent for a quarter of a second, the kill file is written.

    \b
    nightdesk kill
    nightdesk kill --reason "wrong symbol list"
    """
    from console.commands import acts

    _end(acts.kill(_where(ctx), reason))


@app.command(epilog=EVERYWHERE)
def drill(ctx: typer.Context) -> None:
    """Try the kill switch: on a paper desk of its own, in every way, with the times it took.

    The desk trades in a temporary folder on the built-in venue; yours is not touched. Exit code 5 when a way of killing
    did not do what it promises. It takes about a minute.

    \b
    nightdesk drill
    nightdesk drill --json | jq '.drills[].flat_ms'
    """
    from console.commands import drill as command

    _end(command.drill(_where(ctx)))


@app.command(epilog=EVERYWHERE)
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

    _end(acts.rearm(_where(ctx), reason, confirm))


@app.command(epilog=EVERYWHERE)
def flatten(ctx: typer.Context, reason: Reason = "") -> None:
    """Close every position, then stay paused.

    Orders are cancelled too; `nightdesk resume` lifts the pause.

    \b
    nightdesk flatten --reason "weekend"
    """
    from console.commands import acts
    from engine.core.events import Act

    _end(acts.act(_where(ctx), Act.FLATTEN, reason))


@app.command("reset-breaker", epilog=EVERYWHERE)
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

    _end(acts.act(_where(ctx), Act.RESET_BREAKER, reason, name))


@app.command(epilog=EVERYWHERE)
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

    _end(acts.reconcile(_where(ctx), adopt, reason))


@app.command(epilog=EVERYWHERE)
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

    _end(acts.stop(_where(ctx), reason, keep_positions=keep_positions, wait=wait))


@app.command(epilog=EVERYWHERE)
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

    _end(history.explain(_where(ctx), signal))


@app.command(epilog=EVERYWHERE)
def replay(
    ctx: typer.Context,
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or latest.")],
    since: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Begin with the state kept before; print from here on.")
    ] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare with the journal; exit code 5 if it differs.")
    ] = False,
) -> None:
    """Drive a run again from its journal.

    The same inputs go through a fresh core, which must decide the same.

    \b
    nightdesk replay latest --verify
    nightdesk replay 20261121-070822 --from 2026-11-21T08:00:00Z
    """
    from console.commands import replay as command

    _end(command.replay(_where(ctx), run_id, since=since, verify=verify))


@app.command(epilog=EVERYWHERE)
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

    _end(command.errors(_where(ctx), run))


@dead_letters.command("list", epilog=EVERYWHERE)
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

    _end(letters.show(_where(ctx), everything=everything))


@dead_letters.command("retry", epilog=EVERYWHERE)
def dead_letters_retry(
    ctx: typer.Context,
    letter: Annotated[str, typer.Argument(metavar="[ID]", help="Which; default: all that wait.")] = "",
) -> None:
    """Try again what failed, on a desk that is stopped; one that runs does so every hour by itself.

    \b
    nightdesk dead-letters retry
    """
    from console.commands import letters

    _end(letters.retry(_where(ctx), letter))


@dead_letters.command("discard", epilog=EVERYWHERE)
def dead_letters_discard(
    ctx: typer.Context,
    letter: Annotated[str, typer.Argument(metavar="ID")],
    reason: Reason = "",
) -> None:
    """Give a letter up for good, on a desk that is stopped. Needs a reason.

    \b
    nightdesk dead-letters discard backup-5f1c09aa --reason "the disk was replaced"
    """
    from console.commands import letters

    _end(letters.discard(_where(ctx), letter, reason))


@alert.command("test", epilog=EVERYWHERE)
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

    _end(alerts.test(_where(ctx), channel, severity))


@alert.command("list", epilog=EVERYWHERE)
def alert_list(ctx: typer.Context) -> None:
    """The channels, what each is told, when it last took an alert and when not.

    \b
    nightdesk alert list
    """
    from console.commands import alerts

    _end(alerts.show(_where(ctx)))


@audit.command("verify", epilog=EVERYWHERE)
def audit_verify(
    ctx: typer.Context,
    head: Annotated[
        list[str] | None, typer.Option("--head", metavar="HASH", help="A head you hold: the hash of some row.")
    ] = None,
    heads: Annotated[
        list[Path] | None,
        typer.Option("--heads", metavar="FILE", help="Heads you hold: a copy of heads.jsonl, a head, or a report."),
    ] = None,
    key: Annotated[
        list[Path] | None, typer.Option("--key", metavar="FILE", help="A public key to trust beside the desk's own.")
    ] = None,
    archive: Annotated[
        list[Path] | None, typer.Option("--archive", metavar="FILE", help="Check this archive of pruned rows, too.")
    ] = None,
) -> None:
    """Check the journal from its first row.

    The hash chain, the signatures of its heads, heads.jsonl, and heads you hold. Exit code 5 if anything is not as it
    was written; the first such row is named.

    \b
    nightdesk audit verify
    nightdesk audit verify --heads /mnt/elsewhere/heads.jsonl
    """
    from console.commands import audit as command

    _end(command.verify(_where(ctx), head or (), heads or (), key or (), archive or ()))


@audit.command("head", epilog=EVERYWHERE)
def audit_head(ctx: typer.Context) -> None:
    """Print the newest signed head of the journal.

    Keep it where the desk cannot reach it: with it, `audit verify --heads` sees any later change of what came before.

    \b
    nightdesk audit head --json >> /mnt/elsewhere/heads.jsonl
    """
    from console.commands import audit as command

    _end(command.head(_where(ctx)))


@audit.command("query", epilog=EVERYWHERE)
def audit_query(
    ctx: typer.Context,
    kind: Annotated[str, typer.Option(metavar="KIND", help="signal_ended, fill_booked, operator_acted ...")] = "",
    symbol: Annotated[str, typer.Option(metavar="SYMBOL")] = "",
    any_id: Annotated[
        str, typer.Option("--id", metavar="ID", help="A signal, order, fill or trade, and what followed from it.")
    ] = "",
    run: Annotated[str, typer.Option(metavar="RUN", help="Id of a run, or latest.")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help="From here on: 2026-01-31T12:00:00Z, or 2h for ago.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Up to, not including.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    before: Annotated[int | None, typer.Option(metavar="ROW", help="The next page: rows before this one.")] = None,
    after: Annotated[int | None, typer.Option(metavar="ROW", help="Rows behind this one, oldest first.")] = None,
) -> None:
    """Journal rows, newest first; with --json one a line.

    \b
    nightdesk audit query --kind operator_acted --since 2h
    nightdesk audit query --id 20261121-085034-2854-1
    nightdesk audit query --run latest --after 0 --limit 1000 --json
    """
    from console.commands import journal

    asked = journal.Asked(kind, symbol, any_id, run, since, until, limit, before, after)
    _end(journal.query(_where(ctx), asked))


@audit.command("export", epilog=EVERYWHERE)
def audit_export(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made if need be.")],
    format_: Annotated[str, typer.Option("--format", metavar="csv|jsonl|parquet", help="Of every file.")] = "csv",
    table: Annotated[
        list[str] | None,
        typer.Option("--table", metavar="NAME", help="One table; may be repeated. Default: all but the inputs."),
    ] = None,
) -> None:
    """Write the desk's record for other programs, a file a table, with schema.json.

    \b
    nightdesk audit export out/
    nightdesk audit export out/ --format parquet --table trades --table fills
    nightdesk audit export out/ --format jsonl --table inputs       # every market event
    """
    from console.commands import audit as command

    _end(command.export(_where(ctx), folder, format_, table or ()))


@audit.command("prune", epilog=EVERYWHERE)
def audit_prune(
    ctx: typer.Context,
    before: Annotated[str, typer.Option(metavar="TIME", help="Rows from before then: 2026-01-31.")] = "",
    older_than: Annotated[str, typer.Option(metavar="90d", help="Rows older than that.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, it is only said what would be done.")] = False,
) -> None:
    """Move the oldest journal rows into an archive. The desk must not run.

    The archive is written and checked first. What recovery needs stays, and so do all tables but the journal.

    \b
    nightdesk audit prune --older-than 90d
    nightdesk audit prune --before 2026-01-31 --yes
    """
    from console.commands import prune as command

    _end(command.prune(_where(ctx), before, older_than, confirmed=yes))


@config.command("check", epilog=EVERYWHERE)
def config_check(ctx: typer.Context, tree: Tree = None) -> None:
    """Say whether the configuration can be used; every problem is named, with file, key, value and rule.

    \b
    nightdesk config check --env live
    """
    from console.commands import settings

    _end(settings.check(_where(ctx), tree))


@config.command("show", epilog=EVERYWHERE)
def config_show(ctx: typer.Context, tree: Tree = None) -> None:
    """Print every value in force and where it came from.

    \b
    nightdesk config show
    nightdesk config show --config my-config --json
    """
    from console.commands import settings

    _end(settings.show(_where(ctx), tree))


@app.command(epilog=EVERYWHERE)
def doctor(
    ctx: typer.Context,
    tree: Tree = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Make missing folders and close open ones; deletes nothing.")
    ] = False,
) -> None:
    """Check what a run needs.

    Versions, configuration, folders, disk, lock, kill switch, books.

    \b
    nightdesk doctor
    nightdesk doctor --fix
    """
    from console.commands import doctor as command

    _end(command.doctor(_where(ctx), tree, fix=fix))


@app.command(epilog=EVERYWHERE)
def venue(
    port: Annotated[int, typer.Option(metavar="N", help="HTTP on N, WebSocket on N+1; 0: any free ones.")] = 0,
    data: Data = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the generated market.")] = None,
    speed: Annotated[int, typer.Option(metavar="N", help="Venue seconds a second.")] = 1,
) -> None:
    """Run the simulated venue by itself.

    It listens on this machine only. Its first output line is JSON with both ports.

    \b
    nightdesk venue --port 8800
    nightdesk venue --data bars/BTCUSDT.csv.gz --speed 60
    """
    from console.commands import start

    start.venue(port, data or (), seed, speed)


def _remote(ctx: typer.Context, act: str, url: str, reason: str, authority: Path | None) -> NoReturn:
    from console.commands import remote as command

    _end(command.send(_where(ctx), act, url, reason, authority))


@remote.command("kill", epilog=EVERYWHERE)
def remote_kill(ctx: typer.Context, url: Url = "", reason: Reason = "", ca: Authority = None) -> None:
    """Stop all trading on the desk behind a control endpoint, now.

    The command is signed with NIGHTDESK_CONTROL_KEY and holds for half a minute, once. A desk that does not answer its
    endpoint is killed by its kill file.

    \b
    nightdesk remote kill --url https://desk.example:8787 --reason "the feed is wrong"
    """
    _remote(ctx, "kill", url, reason, ca)


@remote.command("pause", epilog=EVERYWHERE)
def remote_pause(ctx: typer.Context, url: Url = "", reason: Reason = "", ca: Authority = None) -> None:
    """Stop new entries there. Only on its own machine can it be resumed.

    \b
    nightdesk remote pause --url https://desk.example:8787
    """
    _remote(ctx, "pause", url, reason, ca)


@remote.command("flatten", epilog=EVERYWHERE)
def remote_flatten(ctx: typer.Context, url: Url = "", reason: Reason = "", ca: Authority = None) -> None:
    """Close every position there, then stay paused.

    \b
    nightdesk remote flatten --url https://desk.example:8787 --reason "news at eight"
    """
    _remote(ctx, "flatten", url, reason, ca)


@remote.command("status", epilog=EVERYWHERE)
def remote_status(ctx: typer.Context, url: Url = "", ca: Authority = None) -> None:
    """What the desk there is doing. Exit code 5 when it is not healthy.

    \b
    nightdesk remote status --url https://desk.example:8787
    """
    _remote(ctx, "status", url, "", ca)


@remote.command("sign", epilog=EVERYWHERE)
def remote_sign(
    ctx: typer.Context,
    act: Annotated[str, typer.Argument(metavar="kill|pause|flatten")],
    reason: Reason = "",
) -> None:
    """Print a signed command, to be put where the desk polls for one. It holds for fifteen minutes there.

    \b
    nightdesk remote sign kill --reason "lost the line" >kill.json
    """
    from console.commands import remote as command

    _end(command.sign_only(_where(ctx), act, reason))


@remote.command("key", epilog=EVERYWHERE)
def remote_key() -> None:
    """Print a fresh control key. Put it into .env (mode 0600) on both machines, and nowhere else.

    \b
    nightdesk remote key
    echo "NIGHTDESK_CONTROL_KEY=$(nightdesk remote key)" >>.env
    """
    from console.commands import remote as command

    _end(command.fresh_key())
