"""The inbox when far more arrives than the core takes: bounded, the newest ticks kept, everything else kept whole."""

from collections.abc import Iterator
from itertools import islice

from engine.core.config import MINUTE
from engine.core.events import AnyEvent, Bar, Fill, Quote, Role, Trade
from engine.session.inbox import SIZE_MAX, TICKS, Inbox
from tests.rig import START_NS, d, flat_bar

SYMBOLS = tuple(f"SYM{n}USDT" for n in range(10))
GROUP = 256
FLOOD = 100_000
BAR_EVERY = 1_000


def flood() -> Iterator[AnyEvent]:
    """A hundred thousand quotes and trades of ten symbols by turns, and a closed bar after every thousandth."""
    for n in range(FLOOD):
        symbol, at_ns = SYMBOLS[n % 10], START_NS + n
        if n // 10 % 2:
            yield Quote(symbol, at_ns, at_ns, d(100) + n, d(101) + n, d(1), d(1))
        else:
            yield Trade(symbol, at_ns, at_ns, d(100) + n, d(1))
        if n % BAR_EVERY == BAR_EVERY - 1:
            yield flat_bar(SYMBOLS[n // BAR_EVERY % 10], at_ns, START_NS + n // BAR_EVERY * MINUTE)


def fill(n: int) -> Fill:
    return Fill(f"f{n}", "o1", SYMBOLS[0], START_NS + n, START_NS + n, d(1), d(100), 0, Role.MAKER)


def test_a_hundred_thousand_ticks_leave_the_newest_of_each_stream_every_bar_and_every_fill() -> None:
    """FN-17, FA-09: nobody takes anything meanwhile."""
    inbox, group, largest = Inbox(), list[AnyEvent](), 0
    for n, event in enumerate(flood()):
        group.append(event)
        if len(group) == GROUP:
            inbox.put(group)
            inbox.put_first(fill(n))
            largest, group = max(largest, len(inbox)), []
    inbox.put(group)
    fills = FLOOD * (BAR_EVERY + 1) // BAR_EVERY // GROUP
    bars = FLOOD // BAR_EVERY
    assert largest <= SIZE_MAX + fills, "of ticks and bars no more than may wait"
    taken = inbox.take(FLOOD)
    assert [event.fill_id for event in taken[:fills] if isinstance(event, Fill)] == [
        f"f{GROUP * (n + 1) - 1}" for n in range(fills)
    ], "fills first, in their order"
    assert sum(isinstance(event, Bar) for event in taken) == bars
    assert inbox.dropped + sum(isinstance(event, TICKS) for event in taken) == FLOOD, "what is gone is counted"
    rest = [event for event in taken[fills:] if not isinstance(event, Fill)]
    assert [event.at_ns for event in rest] == sorted(event.at_ns for event in rest), "in order"
    newest = {(type(event), event.symbol): event for event in rest if isinstance(event, TICKS)}
    last = {(type(event), event.symbol): event for event in flood() if isinstance(event, TICKS)}
    assert newest == last, "of every stream the newest is there"


def test_what_fits_is_not_conflated() -> None:
    inbox, ticks = Inbox(), list(islice((event for event in flood() if isinstance(event, TICKS)), SIZE_MAX + 1))
    inbox.put(ticks[:SIZE_MAX])
    assert (len(inbox), inbox.dropped) == (SIZE_MAX, 0)
    inbox.put(ticks[SIZE_MAX:])
    assert (len(inbox), inbox.dropped) == (20, SIZE_MAX + 1 - 20), "one more: the newest quote and trade of each symbol"
