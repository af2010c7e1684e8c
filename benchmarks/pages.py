"""How fast the console's lists answer on a large record: 10,000 signals and 50,000 events, over a real pty.

The desk behind it stands still, so that whatever comes out of the terminal after a key is the answer to it.
"""

import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from benchmarks.console import Terminal, at_most, measure, terminal
from benchmarks.figures import Figure, percentile
from engine.core.config import CoreConfig
from engine.core.events import Quote, RunStarted
from engine.core.facts import AnyFact, Check, EquityMarked, ErrorCounted, SignalEnded, SignalJudged, SignalRaised
from engine.core.money import parse
from engine.core.times import SECOND
from engine.core.words import TERMINAL_STATE, ReasonCode, Side
from engine.session.clock import VirtualClock
from engine.session.home import Home
from engine.session.ports import Batch
from store.desk import open_store

SIGNALS: Final = 10_000
EVENTS: Final = 50_000
T0: Final = 1_767_614_587 * SECOND
BATCH: Final = 500
KEYS: Final = 120
QUIET_SECONDS: Final = 0.4  # a page that wrote nothing for so long has shown all it has
SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
REASONS: Final = (ReasonCode.FILLED, ReasonCode.HEAT, ReasonCode.CORRELATION)
UP, DOWN, PAGE_DOWN, PAGE_UP, HOME, END = "\x1b[A", "\x1b[B", "\x1b[6~", "\x1b[5~", "\x1b[H", "\x1b[F"
SCROLLS: Final = (DOWN, DOWN, DOWN, UP, PAGE_DOWN, PAGE_DOWN, PAGE_UP, PAGE_DOWN, END, PAGE_DOWN, DOWN, UP)
WORDS: Final = ("s", "o", "l", " ", "h", "e", "a", "t", " ", "9", "9", "7")


def make_record(root: Path) -> None:
    """The record: every signal judged and ended; the other events are marks and errors. And a log of as many lines."""
    home = Home.at(root, "paper")
    home.create()
    line = '{"timestamp": "2026-01-05T12:03:07.000001Z", "level": "INFO", "component": "feed", "message": "line %d"}\n'
    home.system_log.write_text("".join(line % number for number in range(EVENTS)))
    store = open_store(home.database, "paper", VirtualClock(T0), threaded=False)
    started = RunStarted(T0, "20260105-120307", CoreConfig("paper", 7, True, parse("10000"), (), (), config_hash="ab"))
    store.journal.commit(Batch("20260105-120307", 1, [started], [], T0, b"s")).result()
    facts: list[AnyFact] = []
    for number in range(SIGNALS):
        facts += _signal(number)
        facts += _others(number)
    facts = facts[:EVENTS]
    for seq, first in enumerate(range(0, len(facts), BATCH), start=2):
        part = [(seq, fact) for fact in facts[first : first + BATCH]]
        at_ns = part[-1][1].at_ns
        quote = Quote("BTCUSDT", at_ns, at_ns, parse("60000"), parse("60000.1"), parse("1"), parse("1"))
        store.journal.commit(Batch("20260105-120307", seq, [quote], part, at_ns)).result()
    store.close()


def _signal(number: int) -> list[AnyFact]:
    at_ns, symbol, reason = T0 + number * SECOND, SYMBOLS[number % 4], REASONS[number % 3]
    name = f"20260105-120307-{number}-1"
    prices = (parse("60000"), parse("59000"), parse("62000"))
    checks = tuple(Check(4, rule, parse("0.004"), parse("0.01"), True) for rule in ("heat", "correlation"))
    limits, told = (parse("0.004"), parse("0.01")), f"{reason.value} at {number}"
    return [
        SignalRaised(at_ns, name, "trend", symbol, Side.LONG, *prices, "TREND_UP", "CALM", "two averages crossed"),
        SignalJudged(at_ns, name, checks),
        SignalEnded(at_ns, name, "trend", symbol, Side.LONG, TERMINAL_STATE[reason], reason, told, *limits),
    ]


def _others(number: int) -> list[AnyFact]:
    at_ns = T0 + number * SECOND
    equity = parse("10000") + number
    mark = EquityMarked(at_ns, equity, equity, 0, 0, 0, 0, 0, 0, 0)
    return [mark, ErrorCounted(at_ns, "feed", f"reset by peer {number}", "ab12")]


def answers(opened: Terminal, keys: Sequence[str]) -> tuple[list[float], list[float]]:
    """Press the keys, each once the screen is quiet: how long until it wrote anything, and until it was done, in ms."""
    first, last = [], []
    for key in keys:
        at_ns = opened.press(key)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            time.sleep(0.002)
            written = [when for when, _ in opened.chunks[-200:] if when > at_ns]
            newest_ns = written[-1] if written else at_ns
            if time.monotonic_ns() - newest_ns > QUIET_SECONDS * SECOND:
                break
        if written:
            first.append((written[0] - at_ns) / 1e6)
            last.append((written[-1] - at_ns) / 1e6)
    return first, last


def page(opened: Terminal, number: int, name: str) -> list[Figure]:
    """The figures of one list."""
    answers(opened, [str(number)])
    scrolled, _ = answers(opened, list(islice(cycle(SCROLLS), KEYS)))
    answers(opened, [HOME])
    typed, found = answers(opened, ["/", *WORDS, *["\x7f"] * 6])
    answers(opened, ["\x1b"])
    return [
        at_most(f"{name}, scroll key to paint p50", percentile(scrolled, 50), "ms", 100),
        at_most(f"{name}, scroll key to paint p99", percentile(scrolled, 99), "ms", 100),
        at_most(f"{name}, filter key to paint p99", percentile(typed, 99), "ms", 100),
        Figure(f"{name}, filter key to its rows p99", percentile(found, 99), "ms"),
    ]


def load(home: Path) -> list[Figure]:
    """What each page costs on a desk that moves."""
    figures = []
    with terminal(160, 48, home=home) as (opened, _):
        opened.seen(b"Heartbeat", 0, 10)
        time.sleep(3)
        for number in range(1, 9):
            opened.press(str(number))
            time.sleep(2)
            cost = measure(opened, 6)
            figures.append(at_most(f"page {number} cpu at 160x48", cost.cpu_percent, "%", 10))
            figures.append(at_most(f"page {number} output at 160x48", cost.kilobytes, "kB/s", 50))
    return figures


def run() -> list[Figure]:
    """Every figure of the pages beside its budget; takes about five minutes."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_record(home)
        with terminal(160, 48, still=True, home=home) as (opened, _):
            opened.seen(b"Heartbeat", 0, 10)
            time.sleep(3)
            lists = [*page(opened, 2, "10,000 signals"), *page(opened, 6, "50,000 events")]
        return [*lists, *load(home)]
