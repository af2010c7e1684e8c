"""The venue's clock beside the desk's, hour after hour."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.core.config import SECOND
from engine.session.session import Session
from engine.session.tasks import OFFSET_NS_MAX
from tests.session.deskrig import DeskRig

HOURS = 72
DRIFT_NS = 360_000_000  # 100 ppm of an hour


class Drifting:
    """A feed whose clock is further away each time it is asked."""

    def __init__(self, offsets: Iterator[int]) -> None:
        self._offsets = offsets

    async def sync_time(self) -> int | None:
        return next(self._offsets)


def test_a_clock_that_drifts_away_for_three_days_is_told_once_and_again_only_after_it_was_near(tmp_path: Path) -> None:
    """FT-02: an error every hour would add up to the limit that stops entries."""
    rig = DeskRig(tmp_path)
    counted: list[int] = []

    async def look(session: Session) -> None:
        while (view := session.view()) is None or view.phase != "RUNNING":  # noqa: ASYNC110
            await asyncio.sleep(0)
        away = [hour * DRIFT_NS for hour in range(HOURS)]
        assert away[-1] > 5 * OFFSET_NS_MAX
        offsets = [*away, OFFSET_NS_MAX, -OFFSET_NS_MAX - SECOND, -OFFSET_NS_MAX - SECOND]
        feed: Any = Drifting(iter(offsets))
        shell, errors = session._shell, list[str]()
        assert shell is not None
        shell.error = lambda where, text, error=None: errors.append(text)  # type: ignore[method-assign]
        for _ in offsets:
            await session._tasks._sync_time(feed)
            counted.append(len(errors))

    rig.run(120, meddle=look)
    first = OFFSET_NS_MAX // DRIFT_NS + 1
    assert counted == [0] * first + [1] * (HOURS - first) + [1, 2, 2]
