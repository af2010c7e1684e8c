"""History before the first decision: fetched with patience, holes named and asked for once more."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from engine.core.events import Bar, GapDetected
from engine.venues.errors import RateLimited, VenueError, is_retryable

ATTEMPTS: Final = 5
BACKOFF_S: Final = (0.5, 8.0)


class HistoryFeed(Protocol):
    """What seeding needs of a feed."""

    async def history(self, symbol: str, span_ns: int, count: int) -> list[Bar]: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: its number from 1, of how many, and how it ended (None: well)."""

    symbol: str
    number: int
    of: int
    problem: VenueError | None


@dataclass(frozen=True, slots=True)
class Seed:
    """Seeded history: bars oldest first, and the holes in them that a second look did not fill."""

    bars: Sequence[Bar]
    gaps: Sequence[GapDetected]

    @property
    def usable(self) -> Sequence[Bar]:
        """The bars after the last hole: what indicators may be built on."""
        if not self.gaps:
            return self.bars
        return [bar for bar in self.bars if bar.start_ns >= self.gaps[-1].curr_ns]


async def seed_history(
    feed: HistoryFeed,
    symbol: str,
    span_ns: int,
    count: int,
    on_attempt: Callable[[Attempt], None],
    *,
    attempts: int = ATTEMPTS,
    backoff_s: tuple[float, float] = BACKOFF_S,
) -> Seed:
    """The newest `count` closed bars in at most `attempts` tries in all, the waits between them growing.

    The waits are at least as long as the venue wishes. `on_attempt` is told of every try. A refusal that trying again
    cannot change is raised at once.

    Raises:
        VenueError: of the last attempt.
    """

    number = 0

    async def attempt() -> list[Bar]:
        nonlocal number
        number += 1
        try:
            bars = await feed.history(symbol, span_ns, count)
        except VenueError as problem:
            on_attempt(Attempt(symbol, number, attempts, problem))
            raise
        on_attempt(Attempt(symbol, number, attempts, None))
        return bars

    first_s, longest_s = backoff_s
    backoff = wait_exponential_jitter(multiplier=first_s, max=longest_s, jitter=first_s)

    def wait(state: RetryCallState) -> float:
        problem = state.outcome.exception() if state.outcome is not None else None
        wished_s = problem.retry_after_s if isinstance(problem, RateLimited) else None
        return max(backoff(state), wished_s or 0.0)

    retrying = AsyncRetrying(
        stop=stop_after_attempt(attempts),
        wait=wait,
        retry=retry_if_exception(is_retryable),
        reraise=True,
    )
    bars: list[Bar] = await retrying(attempt)
    if gaps_in(bars):
        with contextlib.suppress(VenueError):  # told by the attempt; the hole then simply stays
            bars = _merged(bars, await attempt())[-count:]
    return Seed(bars, gaps_in(bars))


def gaps_in(bars: Sequence[Bar]) -> list[GapDetected]:
    """The holes between bars sorted by start, oldest first."""
    return [
        GapDetected(later.symbol, later.at_ns, missing, earlier.start_ns, later.start_ns)
        for earlier, later in pairwise(bars)
        if (missing := (later.start_ns - earlier.start_ns) // earlier.span_ns - 1) > 0
    ]


def _merged(first: Sequence[Bar], second: Sequence[Bar]) -> list[Bar]:
    """Both, each start once, the newer look at it winning."""
    by_start = {bar.start_ns: bar for bar in (*first, *second)}
    return [by_start[start] for start in sorted(by_start)]
