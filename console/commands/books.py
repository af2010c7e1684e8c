"""The books of a desk as commands read them: the file, a question to it, and moments as people write them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from console.commands.where import Where
from console.exits import Exit, Quit
from engine.session.clock import WallClock
from engine.session.fields import parse_duration
from store.database import holds_desk
from store.queries import Queries, open_queries

T = TypeVar("T")
_EPOCH = datetime.fromtimestamp(0, tz=UTC)


def books_of(where: Where) -> Path:
    """The database. Raises Quit where no desk has run."""
    path = where.home.database
    if not holds_desk(path):
        raise Quit(Exit.USAGE, f"no {where.home.env} desk has run yet: there is no {path}")
    return path


def ask(where: Where, question: Callable[[Queries], Awaitable[T]]) -> T:
    path = books_of(where)

    async def run() -> T:
        async with open_queries(path) as queries:
            return await question(queries)

    return asyncio.run(run())


def newest_event_ns(path: Path, kind: str) -> int:
    """When the newest journal row of `kind` was written; 0 if there is none."""

    async def ask() -> int:
        async with open_queries(path) as queries:
            found = await queries.events(kind=kind, limit=1)
            return found[0].at_ns if found else 0

    return asyncio.run(ask())


def moment_ns(text: str) -> int:
    """`2026-01-31`, `2026-01-31T12:00:00Z`, or `2h` for two hours ago, in nanoseconds UTC; no zone means UTC."""
    try:
        return WallClock().now_ns() - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Quit(Exit.USAGE, f"{text!r} is no time: write 2026-01-31, 2026-01-31T12:00:00Z, or 2h for ago") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
