"""The quotes of `benchmarks.replay`, written once to a plain file every program reads.

`python -m benchmarks.peers.ticks PATH HOURS …` writes them, as many hours as the largest number given, and prints for
each number the round trips the job must give in that many hours, by symbol, counted straight from the prices.
"""

import json
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers.job import COLUMNS, FAST, SLOW, SYMBOLS, TICKS_AN_HOUR
from benchmarks.replay import SYMBOLS as NAMES
from benchmarks.replay import hours_of_ticks
from engine.core.events import Quote


def write(path: Path, hours: int) -> list[list[int]]:
    """Write `hours` hours of quotes to `path`; the mids their minutes close with, by symbol."""
    closes: list[list[int]] = [[] for _ in NAMES]
    with path.open("wb") as file:
        for events in hours_of_ticks(hours):
            quotes = [event for event in events if isinstance(event, Quote)]
            array("q", [number for q in quotes for number in _row(q)]).tofile(file)
            for n, quote in enumerate(quotes):
                if (n // SYMBOLS) % 60 == 59:
                    closes[n % SYMBOLS].append((quote.bid + quote.ask) // 2)
    return closes


def read(path: Path, hours: int) -> Iterator[list[Quote]]:
    """The first `hours` hours of `path`, one list of quotes an hour."""
    width = len(COLUMNS)
    with path.open("rb") as file:
        for _ in range(hours):
            numbers = array("q")
            numbers.fromfile(file, TICKS_AN_HOUR * width)
            rows = zip(*(iter(numbers),) * width, strict=True)
            yield [Quote(NAMES[n % SYMBOLS], *row) for n, row in enumerate(rows)]


def round_trips(closes: list[int]) -> int:
    """How often a position is opened and closed again on these closes."""
    trades, held, was = 0, False, None
    for n in range(SLOW, len(closes) + 1):
        above = sum(closes[n - FAST : n]) * SLOW > sum(closes[n - SLOW : n]) * FAST
        if was is not None and above != was:
            trades += held and not above
            held = above
        was = above
    return trades


def _row(quote: Quote) -> tuple[int, ...]:
    return quote.at_ns, quote.venue_ns, quote.bid, quote.ask, quote.bid_qty, quote.ask_qty


def main(path: Path, spans: list[int]) -> None:
    closes = write(path, max(spans))
    # The last minute of a span stays open: no tick comes after it.
    print(json.dumps({hours: [round_trips(each[: hours * 60 - 1]) for each in closes] for hours in spans}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(hours) for hours in sys.argv[2:]])
