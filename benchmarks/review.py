"""A month of one desk looked back on: all figures from the database, the page, and the artifact of a day.

30 days with an equity mark a minute, 100 trades a day, two fills each, both shadow books, and ten refused signals for
each that was executed. `python -m benchmarks review` runs it alone.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure
from engine.core.config import DAY, HOUR, MINUTE, CoreConfig
from engine.core.draw import between
from engine.core.events import RunStarted
from engine.core.facts import (
    AnyFact,
    DayRolled,
    EquityMarked,
    FillBooked,
    PhaseChanged,
    ShadowFilled,
    SignalEnded,
    SignalRaised,
    TradeClosed,
)
from engine.core.money import SCALE
from engine.core.words import ExitReason, Purpose, ReasonCode, Side, TerminalState
from engine.review.performance import KINDS, Performing, told
from engine.session.clock import VirtualClock
from engine.session.ports import Batch
from store.days import read_days
from store.desk import open_store
from store.spans import read_span

DAYS: Final = 30
TRADES_A_DAY: Final = 100
REFUSED: Final = 10
FIRST_DAY: Final = 20_454
RUN: Final = "bench"
BATCH_FACTS: Final = 2_000
FIGURES_SECONDS_MAX: Final = 1.0
DAY_SECONDS_MAX: Final = 0.2


def run() -> list[Figure]:
    """Seconds for the figures of the month, and for the artifact of its last day."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desk.db"
        _lived(path)
        begun = time.perf_counter()
        span = read_span(path, KINDS, (RUN,))
        answer = told(Performing(span.calendar, held=span.held).take_all(span.facts).figures())
        figures_s = time.perf_counter() - begun
        assert answer["trades"]["trades"] == DAYS * TRADES_A_DAY and answer["returns"]["sharpe"] is not None
        begun = time.perf_counter()
        (day,) = read_days(path, "paper", {"gate_level": "DENIED"}, only="2026-01-29")
        day_s = time.perf_counter() - begun
        assert day["trades"]["closed"] == TRADES_A_DAY
    return [
        Figure("figures of 30 days", figures_s, "s", budget=FIGURES_SECONDS_MAX),
        Figure("artifact of a day", day_s, "s", budget=DAY_SECONDS_MAX),
    ]


def _lived(path: Path) -> None:
    """A desk with the month in its journal."""
    store = open_store(path, "paper", VirtualClock(FIRST_DAY * DAY), threaded=False)
    begun = RunStarted(FIRST_DAY * DAY, RUN, CoreConfig("paper", 1, True, 10_000 * SCALE, (), ()))
    store.journal.commit(Batch(RUN, 1, [begun], [], FIRST_DAY * DAY)).result()
    facts: list[tuple[int, AnyFact]] = []
    for fact in _facts():
        facts.append((0, fact))
        if len(facts) == BATCH_FACTS:
            store.journal.commit(Batch(RUN, 2, [], facts, fact.at_ns)).result()
            facts = []
    store.journal.commit(Batch(RUN, 2, [], facts, (FIRST_DAY + DAYS) * DAY)).result()
    store.close()


def _facts() -> Iterator[AnyFact]:
    equity = 10_000 * SCALE
    yield PhaseChanged(FIRST_DAY * DAY, "SEEDING_HISTORY", "RUNNING", "")
    for day in range(FIRST_DAY, FIRST_DAY + DAYS):
        begun_ns = day * DAY
        yield DayRolled(begun_ns, day, equity, 0, day - 1, 0, 0, begun_ns)
        for minute in range(DAY // MINUTE):
            at_ns = begun_ns + minute * MINUTE
            if minute % (DAY // MINUTE // TRADES_A_DAY) == 0 and minute // 14 < TRADES_A_DAY:
                result = between(-95 * SCALE, 105 * SCALE, 1, "bench", at_ns) // 100
                yield from _trade(f"{day}-{minute}", at_ns, result)
                equity += result
            worse = equity - SCALE
            yield EquityMarked(at_ns, equity, equity, 0, 0, 0, 0, 0, 0, 0, "LOW", 14 * SCALE, "UP:B", worse, equity)


def _trade(name: str, at_ns: int, result: int) -> Iterator[AnyFact]:
    side, states = Side.LONG, TerminalState
    for n in range(REFUSED + 1):
        signal_id, is_last = f"{name}-{n}", n == REFUSED
        yield SignalRaised(at_ns, signal_id, "trend", "B", side, 0, 90 * SCALE, 120 * SCALE, "UP", "LOW", "x")
        state = states.EXECUTED if is_last else states.REJECTED_BY_HEAT
        code = ReasonCode.FILLED if is_last else ReasonCode.HEAT
        yield SignalEnded(at_ns, signal_id, "trend", "B", side, state, code, "because")
    for way, qty in (("in", SCALE), ("out", -SCALE)):
        order_id, price, after = f"{name}-{way}", 100 * SCALE, SCALE if way == "in" else 0
        head = (at_ns, f"f-{order_id}", order_id, name, "trend", "B", Purpose.ENTRY, qty, price, SCALE // 10, "taker")
        yield FillBooked(*head, 0, price, after, 1_000, "model", "model", slippage=1_000)
        for profile in ("pessimistic", "optimistic"):
            fill_id = f"{profile}-{order_id}"
            yield ShadowFilled(at_ns, profile, fill_id, order_id, "B", qty, price, 1, "taker", "m", after)
    closed = (at_ns, name, name, "trend", "B", side, SCALE, 100 * SCALE, 100 * SCALE + result, at_ns - HOUR, result)
    yield TradeClosed(*closed, SCALE // 10, 0, ExitReason.TP, "UP", "LOW")
