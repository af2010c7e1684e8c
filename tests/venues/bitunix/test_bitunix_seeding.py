"""History before the first decision: five attempts in all, each told, holes named and asked for once more."""

import asyncio

import pytest

from engine.core.config import MINUTE
from engine.core.events import Bar
from engine.venues.bitunix.seeding import Attempt, seed_history
from engine.venues.errors import AuthFailed, NotSent, RateLimited, RuleRefused, UnknownOutcome, VenueError

QUICK = (0.001, 0.002)


class ScriptedFeed:
    """Answers `history` from a list: minutes, or an error to raise."""

    def __init__(self, *answers: list[int] | VenueError) -> None:
        self.answers = list(answers)
        self.calls = 0

    async def history(self, symbol: str, span_ns: int, count: int) -> list[Bar]:
        self.calls += 1
        answer = self.answers.pop(0)
        if isinstance(answer, VenueError):
            raise answer
        return [Bar(symbol, 0, minute * span_ns, span_ns, 1, 1, 1, 1, 0, backfilled=True) for minute in answer]


async def test_four_failures_and_a_success_are_five_attempts_each_told() -> None:
    """FN-01."""
    feed, told = ScriptedFeed(*[UnknownOutcome("down")] * 4, [1, 2, 3]), list[Attempt]()
    seed = await seed_history(feed, "BTCUSDT", MINUTE, 3, told.append, backoff_s=QUICK)
    assert feed.calls == 5
    assert [(attempt.number, attempt.problem is None) for attempt in told] == [
        (1, False),
        (2, False),
        (3, False),
        (4, False),
        (5, True),
    ]
    assert len(seed.usable) == 3


async def test_five_failures_end_it() -> None:
    """FN-01."""
    feed, told = ScriptedFeed(*[NotSent("refused")] * 9), list[Attempt]()
    with pytest.raises(NotSent):
        await seed_history(feed, "BTCUSDT", MINUTE, 3, told.append, backoff_s=QUICK)
    assert feed.calls == len(told) == 5


@pytest.mark.parametrize("refusal", [RuleRefused("unknown symbol"), AuthFailed("no")])
async def test_a_refusal_that_will_not_pass_is_not_repeated(refusal: VenueError) -> None:
    feed, told = ScriptedFeed(refusal), list[Attempt]()
    with pytest.raises(type(refusal)):
        await seed_history(feed, "BTCUSDT", MINUTE, 3, told.append, backoff_s=QUICK)
    assert feed.calls == len(told) == 1


async def test_a_hole_is_asked_for_once_more_and_filled() -> None:
    feed = ScriptedFeed([1, 2, 5], [1, 2, 3, 4, 5])
    seed = await seed_history(feed, "BTCUSDT", MINUTE, 5, lambda _: None, backoff_s=QUICK)
    assert feed.calls == 2
    assert not seed.gaps
    assert [bar.start_ns // MINUTE for bar in seed.bars] == [1, 2, 3, 4, 5]


async def test_a_hole_that_stays_is_reported_and_only_what_follows_it_is_usable() -> None:
    feed = ScriptedFeed([1, 2, 5, 6], [2, 5, 6])
    seed = await seed_history(feed, "BTCUSDT", MINUTE, 6, lambda _: None, backoff_s=QUICK)
    (gap,) = seed.gaps
    assert (gap.missing, gap.prev_ns, gap.curr_ns) == (2, 2 * MINUTE, 5 * MINUTE)
    assert [bar.start_ns // MINUTE for bar in seed.usable] == [5, 6]


async def test_a_second_look_that_fails_leaves_the_hole_and_is_told() -> None:
    feed, told = ScriptedFeed([1, 3], UnknownOutcome("down")), list[Attempt]()
    seed = await seed_history(feed, "BTCUSDT", MINUTE, 3, told.append, backoff_s=QUICK)
    assert len(seed.gaps) == 1
    assert told[-1].problem is not None


async def test_a_wait_the_venue_wishes_is_kept() -> None:
    feed = ScriptedFeed(RateLimited("slowly", retry_after_s=0.2), [1, 2, 3])
    begun = asyncio.get_running_loop().time()
    await seed_history(feed, "BTCUSDT", MINUTE, 3, lambda _: None, backoff_s=QUICK)
    assert asyncio.get_running_loop().time() - begun >= 0.2
