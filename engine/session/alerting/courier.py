"""A courier: the thread that carries one channel's alerts, so that a channel that hangs keeps no other waiting.

What is critical goes at once. The rest keeps to the channel's rate; where more waits than may be told one by one, it
goes together in one message. A failed delivery is tried again a few times, then left with the office; from then on the
channel counts as down, and everything is tried once until something arrives.
"""

import threading
from collections.abc import Sequence
from typing import Final, Protocol

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential

from engine.core.words import Severity
from engine.session.alerting.channels import Channel
from engine.session.alerting.lanes import Lanes
from engine.session.alerting.notices import Notice, message
from engine.session.alerting.services import NotDelivered
from engine.session.clock import WallClock

ATTEMPTS: Final = 3
WAIT_SECONDS_MAX: Final = 8.0
LETTERS_SECONDS: Final = 3600.0
_MINUTE_NS: Final = 60_000_000_000


class Line(Protocol):
    """Something that carries one message, or raises `NotDelivered`."""

    def send(self, title: str, body: str, severity: Severity) -> None: ...


class Office(Protocol):
    """What a courier reports to, from its own thread."""

    def sent(self, channel: Channel, notices: Sequence[Notice]) -> None: ...

    def failed(self, channel: Channel, notices: Sequence[Notice], error: NotDelivered, attempts: int) -> None: ...

    def went_down(self, channel: Channel, error: NotDelivered) -> None: ...

    def retry_letters(self, channel: Channel) -> None:
        """Try what waits for this channel from earlier, in one message."""


class Courier:
    """Carries for one channel. `put` is for any thread and never waits.

    Args:
        wait_s: Before a failed delivery is tried again; it doubles.

    Attributes:
        problem: Why nothing arrives there; empty: the last thing that was tried did.
    """

    def __init__(self, channel: Channel, line: Line, office: Office, wait_s: float = 1.0) -> None:
        self.channel = channel
        self._line = line
        self._office = office
        self._lanes: Lanes[Notice] = Lanes()
        self._clock = WallClock()
        self._tokens = float(channel.rate_per_minute)
        self._refilled_ns = self._clock.mono_ns()
        self._letters_ns = self._refilled_ns - int(LETTERS_SECONDS * 1e9)  # what an earlier run left is due at once
        self._wait_s = wait_s
        self.problem = ""
        self._carrying: Sequence[Notice] = ()
        self._closing = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._run, name=f"alerts-{channel.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, notice: Notice) -> Notice | None:
        """Queue a notice; what had to be dropped for it, if anything."""
        return self._lanes.put(notice, notice.severity is Severity.CRITICAL)

    def settle(self, seconds: float) -> None:
        """Wait until everything queued was tried, at most `seconds`."""
        with self._lanes.changed:
            self._lanes.changed.wait_for(lambda: not len(self._lanes) and not self._carrying, seconds)

    def hurry(self) -> None:
        """The session ends: try everything once more and wait for nothing."""
        self._closing.set()
        with self._lanes.changed:
            self._lanes.changed.notify_all()

    def close(self, seconds: float) -> tuple[list[Notice], list[Notice]]:
        """Carry what waits for `seconds` at most, then end: what was not tried, and what is under way unanswered."""
        self.hurry()
        self._thread.join(seconds)
        with self._lanes.changed:
            self._over = True
            return self._lanes.take_all(), list(self._carrying)

    # --- on the courier's own thread ---

    def _run(self) -> None:
        while True:
            notices = self._next()
            if notices:
                self._carry(notices)
            elif self._closing.is_set():
                return
            else:
                self._letters_ns = self._clock.mono_ns()
                self._office.retry_letters(self.channel)

    def _next(self) -> Sequence[Notice]:
        """What to tell next, when it may be told; nothing when the session ends, or when letters are due."""
        lanes = self._lanes
        with lanes.changed:
            while True:
                wait_s = LETTERS_SECONDS - (self._clock.mono_ns() - self._letters_ns) / 1e9
                self._refill()
                if lanes.critical:
                    self._tokens = max(0.0, self._tokens - 1)
                    self._carrying = (lanes.critical.popleft(),)
                    return self._carrying
                if lanes.lesser and (self._tokens >= 1 or self._closing.is_set()):
                    many = len(lanes.lesser) > self._tokens
                    self._tokens = max(0.0, self._tokens - 1)
                    self._carrying = lanes.take_all() if many else (lanes.lesser.popleft(),)
                    return self._carrying
                if self._closing.is_set() or wait_s <= 0:
                    return ()
                if lanes.lesser:
                    wait_s = min(wait_s, (1 - self._tokens) * 60 / self.channel.rate_per_minute)
                lanes.changed.wait(wait_s)

    def _refill(self) -> None:
        now_ns, rate = self._clock.mono_ns(), self.channel.rate_per_minute
        gained = (now_ns - self._refilled_ns) * rate / _MINUTE_NS
        self._tokens, self._refilled_ns = min(float(rate), self._tokens + gained), now_ns

    def _carry(self, notices: Sequence[Notice]) -> None:
        retrying = Retrying(
            retry=retry_if_exception_type(NotDelivered),
            stop=self._is_enough,
            wait=wait_exponential(self._wait_s, max=WAIT_SECONDS_MAX),
            sleep=self._pause,
            reraise=True,
        )
        try:
            retrying(self._line.send, *message(notices))
        except NotDelivered as error:
            self._report_failure(notices, error, int(retrying.statistics.get("attempt_number", 1)))
        else:
            self._report_success(notices)
        with self._lanes.changed:
            self._carrying = ()
            self._lanes.changed.notify_all()

    def _is_enough(self, so_far: RetryCallState) -> bool:
        return bool(self.problem) or self._closing.is_set() or so_far.attempt_number >= ATTEMPTS

    def _pause(self, seconds: float) -> None:
        self._closing.wait(seconds)

    def _report_failure(self, notices: Sequence[Notice], error: NotDelivered, attempts: int) -> None:
        if self._over:
            return
        self._office.failed(self.channel, notices, error, attempts)
        was_down, self.problem = bool(self.problem), str(error) or type(error).__name__
        if not was_down:
            self._office.went_down(self.channel, error)

    def _report_success(self, notices: Sequence[Notice]) -> None:
        if self._over:
            return
        self._office.sent(self.channel, notices)
        if self.problem:
            self.problem = ""
            self._office.retry_letters(self.channel)
