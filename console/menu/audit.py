"""What the journal holds: audit verify, head, query, export, prune."""

from pathlib import Path
from typing import Annotated

import typer

from console.menu.common import EVERYWHERE, end, group, where_of

commands = group("What the journal holds, and whether it is whole.")


@commands.command("verify", epilog=EVERYWHERE)
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

    end(command.verify(where_of(ctx), head or (), heads or (), key or (), archive or ()))


@commands.command("head", epilog=EVERYWHERE)
def audit_head(ctx: typer.Context) -> None:
    """Print the newest signed head of the journal.

    Keep it where the desk cannot reach it: with it, `audit verify --heads` sees any later change of what came before.

    \b
    nightdesk audit head --json >> /mnt/elsewhere/heads.jsonl
    """
    from console.commands import audit as command

    end(command.head(where_of(ctx)))


@commands.command("query", epilog=EVERYWHERE)
def audit_query(
    ctx: typer.Context,
    kind: Annotated[str, typer.Option(metavar="KIND", help="signal_ended, fill_booked, operator_acted ...")] = "",
    symbol: Annotated[str, typer.Option(metavar="SYMBOL", help="Rows about it.")] = "",
    any_id: Annotated[
        str, typer.Option("--id", metavar="ID", help="A signal, order, fill or trade, and what followed from it.")
    ] = "",
    run: Annotated[str, typer.Option(metavar="RUN", help="Id of a run, or latest.")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help="From here on: 2026-01-31T12:00:00Z, or 2h for ago.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Up to, not including.")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="At most so many.")] = 50,
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
    end(journal.query(where_of(ctx), asked))


@commands.command("export", epilog=EVERYWHERE)
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

    end(command.export(where_of(ctx), folder, format_, table or ()))


@commands.command("prune", epilog=EVERYWHERE)
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

    end(command.prune(where_of(ctx), before, older_than, confirmed=yes))
