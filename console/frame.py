"""When the next frame is drawn: four times a second, at once when urgent, never faster than the terminal reads."""

from collections import deque
from typing import Final

from engine.core.view import DeskView

BEAT_SECONDS: Final = 0.125  # how often the desk's view is looked at
RETRY_SECONDS: Final = 0.02  # after an urgent frame found output waiting
FRAME_NS: Final = 240_000_000  # every second beat, with room for a late one
SLOW_FRAME_NS: Final = 990_000_000
URGENT_MAX: Final = 10  # so many urgent frames in any second
URGENT_SPAN_NS: Final = 1_000_000_000
SKIPS_TO_SLOW: Final = 3
CLEAN_TO_FAST: Final = 10


class Pace:
    """Decides frame by frame. Urgent frames come at once, a bounded number a second. While the terminal has not read
    the last frame no other is drawn; if that goes on, calm frames come once a second until it keeps up again."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._urgent: deque[int] = deque(maxlen=URGENT_MAX)
        self._skips = 0
        self._clean = 0
        self._slow = False

    def due(self, now_ns: int, *, urgent: bool, waiting: bool) -> bool:
        """Whether to draw now. `waiting`: output is still queued. A True counts as drawn."""
        period = SLOW_FRAME_NS if self._slow else FRAME_NS
        calm = self._last_ns is None or now_ns - self._last_ns >= period
        if not calm and not (urgent and self._has_room(now_ns)):
            return False
        if waiting:
            if calm:  # an urgent frame is tried again and again; only calm ones tell how slow the terminal is
                self._skips, self._clean = self._skips + 1, 0
                self._slow = self._slow or self._skips >= SKIPS_TO_SLOW
            return False
        self._skips, self._clean = 0, self._clean + 1
        self._slow = self._slow and self._clean < CLEAN_TO_FAST
        self._last_ns = now_ns
        if not calm:
            self._urgent.append(now_ns)
        return True

    def _has_room(self, now_ns: int) -> bool:
        return len(self._urgent) < URGENT_MAX or now_ns - self._urgent[0] >= URGENT_SPAN_NS


def alarm_of(view: DeskView | None) -> tuple[object, ...]:
    """What an operator must see at once when it changes: phase, kill, blocks, trips."""
    if view is None:
        return ()
    tripped = tuple(breaker.name for breaker in view.breakers if breaker.tripped)
    return view.phase, view.kill_latched, tuple(block.reason for block in view.blocks), tripped
