"""Critical alerts nobody has answered: told again and again, until a person does something with the desk.

Any command of a person is an answer to all that came before it. What is unanswered is forgotten with its run: what
still holds then, the next start tells anew.
"""

from typing import Final

from engine.core.times import stretch
from engine.core.words import AlertKind, Severity
from engine.session.alerting.kinds import KINDS
from engine.session.alerting.notices import Notice

ANSWERED_ITSELF: Final = frozenset({AlertKind.UNANSWERED, AlertKind.TEST})
"""Critical, and yet no question to anybody."""


class Reminders:
    """The oldest critical alert without an answer, and how many came with it. Times are monotonic.

    Args:
        every_ns: How often it is told again; 0: never.
        pause_ns: After how long it is time to stop entries; 0: never.
    """

    def __init__(self, every_ns: int, pause_ns: int) -> None:
        self._every_ns = every_ns
        self._pause_ns = pause_ns
        self._oldest: Notice | None = None
        self._count = 0
        self._since_ns = 0
        self._due_ns = 0
        self._pauses = False

    def raised(self, notice: Notice, now_ns: int) -> None:
        """A new alert is on its way."""
        if notice.severity is not Severity.CRITICAL or notice.kind in ANSWERED_ITSELF:
            return
        self._count += 1
        if self._oldest is None:
            self._oldest, self._since_ns, self._due_ns = notice, now_ns, now_ns + self._every_ns
            self._pauses = self._pause_ns > 0

    def answered(self) -> None:
        """A person has done something with the desk."""
        self._oldest, self._count = None, 0

    def due_ns(self) -> int | None:
        """When there is something to do next; None: not before the next alert."""
        if self._oldest is None:
            return None
        times = [self._due_ns] if self._every_ns else []
        times += [self._since_ns + self._pause_ns] if self._pauses else []
        return min(times, default=None)

    def reminder(self, now_ns: int) -> str:
        """What is to be told again now; empty: nothing yet."""
        if self._oldest is None or not self._every_ns or now_ns < self._due_ns:
            return ""
        self._due_ns = now_ns + self._every_ns
        return self.text(now_ns)

    def pause(self, now_ns: int) -> str:
        """Why entries are to be stopped now, once; empty: they are not."""
        oldest = self._oldest
        if oldest is None or not self._pauses or now_ns - self._since_ns < self._pause_ns:
            return ""
        self._pauses = False
        return f"nobody has answered for {stretch(self._pause_ns)}: {self._said(oldest)}"

    def text(self, now_ns: int) -> str:
        """What is unanswered, in a sentence; empty: nothing."""
        oldest = self._oldest
        return "" if oldest is None else f"unanswered for {stretch(now_ns - self._since_ns)}: {self._said(oldest)}"

    def _said(self, oldest: Notice) -> str:
        more = f"; {self._count - 1} more came since" if self._count > 1 else ""
        return f"{KINDS[oldest.kind].title}: {oldest.text}{more}"
