"""The lean market: the quotes, bars and funding of the generated one with a step of a second, and nothing else."""

from itertools import takewhile

from engine.core.events import Bar, FeedEvent, FundingRate, Quote
from engine.core.times import MINUTE, SECOND
from engine.venues.sim.generated import GeneratedMarket
from engine.venues.sim.ticks import Ticks
from tests.rig import START_NS

SYMBOLS = ("BTCUSDT", "DOGEUSDT")
UNTIL_NS = START_NS + 3 * MINUTE


def told(market: GeneratedMarket, from_ns: int = START_NS) -> list[FeedEvent]:
    chunks = takewhile(lambda chunk: chunk[0].at_ns < UNTIL_NS, market.events(from_ns))
    kept = (Quote, Bar, FundingRate)
    return sorted((e for chunk in chunks for e in chunk if isinstance(e, kept) and e.at_ns <= UNTIL_NS), key=repr)


def test_it_tells_what_the_whole_market_tells_but_books_and_trades() -> None:
    lean = Ticks(3, START_NS, symbols=SYMBOLS)
    whole = GeneratedMarket(3, START_NS, quote_interval_ns=SECOND, symbols=SYMBOLS)
    assert told(lean) == told(whole)
    assert {
        type(event) for chunk in takewhile(lambda c: c[0].at_ns < UNTIL_NS, lean.events(START_NS)) for event in chunk
    } == {
        Quote,
        Bar,
        FundingRate,
    }
    assert lean.fingerprint != whole.fingerprint


def test_it_can_be_entered_anywhere() -> None:
    later_ns = START_NS + MINUTE
    lean = Ticks(3, START_NS, symbols=SYMBOLS)
    assert told(lean, later_ns) == [
        event
        for event in told(lean)
        if event.at_ns >= later_ns and not (isinstance(event, Bar) and event.at_ns == later_ns)
    ]
