"""A small real database for the pages that look back, made from facts: two runs, the newest that of the sample desk.

And the console in miniature: a page is drawn, and reads as long as it wants to.
"""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from console.board import plain
from console.pages.base import Page
from console.text import SECOND, Line, Seen
from engine.core.events import RunStarted
from engine.core.facts import AnyFact, EquityMarked, ShadowFilled
from engine.core.money import parse
from engine.core.times import HOUR, MINUTE
from engine.core.view import DeskView
from engine.core.words import ExitReason
from engine.session.home import Home
from store.desk import Store
from store.queries import Queries, open_queries
from tests.console import sample_desk as sample
from tests.store import making

NOW = sample.NOW
FIRST_RUN = "20260103-000307"
RUN = sample.BUSY.run_id
TRADES = (  # (minutes ago, result, exit, phase, strategy)
    (58 * 60, "12", ExitReason.TP, "TREND_UP", "trend"),
    (300, "-4.5", ExitReason.SL, "SIDEWAYS", "reversion"),
    (200, "6", ExitReason.TP, "SIDEWAYS", "reversion"),
    (100, "3", ExitReason.STRATEGY, "SIDEWAYS", "reversion"),
    (30, "-1.5", ExitReason.SL, "TREND_UP", "trend"),
    (0, "2", ExitReason.TP, "TREND_UP", "trend"),
)
NEXT = 5  # the trade that is still to come


def make(folder: Path, *, traded: bool = True) -> Store:
    """One trade two days ago in the first run, four within the six hours of the second; a mark after each."""
    store = making.desk(folder)
    numbers = range(NEXT) if traded else range(0)
    for seq, run_id, begun, chosen in (
        (1, FIRST_RUN, 60 * 60, [number for number in numbers if TRADES[number][0] > 360]),
        (2, RUN, 360, [number for number in numbers if TRADES[number][0] <= 360]),
    ):
        started: RunStarted = replace(making.run_started(run_id), at_ns=NOW - begun * MINUTE)
        facts: list[AnyFact] = [mark(NOW - begun * MINUTE, chosen[0] if chosen else 0)]
        for number in chosen:
            facts += trade(number)
        facts.append(
            mark(NOW - (TRADES[chosen[-1]][0] - 20 if chosen else 10) * MINUTE, chosen[-1] + 1 if chosen else 0)
        )
        store.journal.commit(making.batch(seq, [started], [(seq, fact) for fact in facts], run_id, b"s")).result()
    return store


def trade(number: int) -> list[AnyFact]:
    """Its signal, a fill, what the pessimistic book got, the closed trade and the mark behind it."""
    ago, result, reason, phase, strategy = TRADES[number]
    at_ns = NOW - ago * MINUTE
    fill = making.filled(f"f{number}", "0.2", "60006", "0.2", order_id=f"x{number}")
    cost = (parse("0.2"), parse("60012"), parse("6"))
    closed = making.trade(f"t{number}", result, at_ns)
    signal_id = f"{RUN}-{1000 + number}-1"
    return [
        making.raised(signal_id, at_ns=at_ns - HOUR),
        making.judged(signal_id),
        replace(making.ended(signal_id), at_ns=at_ns),
        making.order(f"x{number}", signal_id=signal_id, at_ns=at_ns),
        replace(fill, at_ns=at_ns, slippage=parse("0.0001") * number),
        ShadowFilled(at_ns, "pessimistic", f"s{number}", f"x{number}", "BTCUSDT", *cost, "TAKER", "model", cost[0]),
        replace(closed, entry_at_ns=at_ns - HOUR, exit_reason=reason, phase=phase, strategy_id=strategy),
        mark(at_ns, number + 1),
    ]


def mark(at_ns: int, trades: int) -> EquityMarked:
    """The account after so many of the trades."""
    equity = parse("10000") + sum(parse(result) for _, result, *_ in TRADES[:trades])
    worse, better = equity - trades * parse("2"), equity + trades * parse("0.5")
    return replace(making.mark(), at_ns=at_ns, equity=equity, equity_pessimistic=worse, equity_optimistic=better)


def make_files(root: Path) -> Home:
    """The folders of a desk with a few lines in its two logs."""
    home = Home.at(root, "paper")
    home.create()
    home.run(RUN).path.mkdir(parents=True)
    home.run(RUN).session_log.write_text("2026-01-05 12:03:07Z WARNING block: operator blocked: lunch\n")
    levels = ("INFO", "WARNING", "ERROR")
    lines = (
        {
            "timestamp": f"2026-01-05T12:00:{number:02d}.000001Z",
            "level": levels[number % 3],
            "component": "feed",
            "message": f"line {number}",
            "meta": {"mode": "PAPER"},
        }
        for number in range(60)
    )
    home.system_log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return home


class Sitting:
    """A page on a desk's books or on its files, drawn and read as the console does it."""

    def __init__(
        self, page: Page, source: Path | Home, view: DeskView = sample.BUSY, size: tuple[int, int] = (120, 60)
    ) -> None:
        self.page, self.view, self.size = page, view, size
        self.reads = 0
        self._source = source
        self._now_ns = 10**12

    async def look(self, seconds: int = 0, rows: int = 0) -> str:
        """The page as text, after so many seconds in which so many journal rows were written."""
        self._now_ns += seconds * SECOND
        self.view = sample.changed(self.view, journal_rows=self.view.journal_rows + rows)
        self.draw()
        if isinstance(self._source, Home):
            return await self._read(self._source)
        async with open_queries(self._source) as queries:
            return await self._read(queries)

    async def _read(self, source: Queries | Home) -> str:
        for _ in range(50):
            if not self.page.wants(Seen(self.view), self._now_ns):
                return plain(self.draw())
            self.reads += 1
            await self.page.read(source, self._now_ns)
            self.draw()
        pytest.fail("it never has enough")

    def draw(self) -> list[Line]:
        return self.page.body(Seen(self.view), *self.size)

    async def press(self, *keys: str) -> str:
        for key in keys:
            assert self.page.press(key, key if len(key) == 1 else None), key
        return await self.look()
