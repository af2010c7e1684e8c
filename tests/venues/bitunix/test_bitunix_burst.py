"""Ten thousand messages at once over a real socket, after a reconnect, while nobody takes them."""

import asyncio
import json

from engine.core.config import MINUTE, SECOND
from engine.core.events import Bar, Book, FeedChanged, FeedHealth
from engine.session.inbox import SIZE_MAX, Inbox
from engine.venues.bitunix.feed import BitunixFeed
from engine.venues.bitunix.outbox import GROUP_MAX, WAITING_MAX
from tests.venues.bitunix.fakevenue import T0_NS, SetClock, book, kline, venue
from tests.venues.bitunix.test_bitunix_feed import QUICK

COUNT = 10_000
MINUTES = 10


def burst() -> list[str]:
    """Books a millisecond apart, and the pushes of one minute after another between them."""
    frames = [json.dumps(book(ts_ns=T0_NS + n * 1_000_000, bid=f"{100 + n % 50}", ask="151")) for n in range(COUNT)]
    for minute in range(MINUTES + 1):
        at = minute * COUNT // (MINUTES + 1)
        frames[at] = json.dumps(kline(minute))
    return frames


async def test_ten_thousand_messages_at_once_are_bounded_and_cost_ticks_alone() -> None:
    """FN-17, FA-09."""
    async with venue() as fake:
        clock = SetClock(T0_NS + (MINUTES + 1) * MINUTE)
        feed = BitunixFeed(fake.rest_url, fake.ws_url, ["BTCUSDT"], clock, QUICK)
        await feed.connect()
        groups = feed.events()
        await fake.until(lambda: bool(fake.subscribed()))
        fake.cut()
        await fake.until(lambda: fake.opened == 2 and len(fake.subscribed()) == 2 * len(QUICK.channels))
        sending = asyncio.create_task(fake.send(*burst()))
        outbox = feed._outbox
        async with asyncio.timeout(60):
            while outbox.room.is_set():  # noqa: ASYNC110 - until it is full
                await asyncio.sleep(0.001)
            for _ in range(200):
                await asyncio.sleep(0)  # reading has stopped, whatever still comes in
        assert len(outbox._queue) <= WAITING_MAX + MINUTES, "what waits is bounded, and the venue has to wait"
        inbox, events, largest = Inbox(), 0, 0
        newest = T0_NS + (COUNT - 1) * 1_000_000
        async with asyncio.timeout(60):
            async for group in groups:
                assert len(group) <= GROUP_MAX
                events += len(group)
                inbox.put(group)
                largest = max(largest, len(inbox))
                if any(isinstance(event, Book) and event.venue_ns == newest for event in group):
                    break
        await sending
        await feed.close()
        taken = inbox.take(COUNT)
        assert largest <= SIZE_MAX
        assert events == len(taken) + inbox.dropped, "what is gone is counted"
        assert inbox.dropped > COUNT // 2
        bars = [event for event in taken if isinstance(event, Bar)]
        assert [bar.start_ns for bar in bars] == [T0_NS + n * MINUTE for n in range(len(bars))]
        assert len(bars) >= MINUTES, "every closed minute, once"
        health = [event.health for event in taken if isinstance(event, FeedChanged) and not event.symbol]
        assert health[-1] is FeedHealth.LIVE and FeedHealth.DOWN in health
        books = [event.venue_ns for event in taken if isinstance(event, Book)]
        assert books[-1] == newest and books == sorted(books)
        assert clock.now_ns() > newest + SECOND
