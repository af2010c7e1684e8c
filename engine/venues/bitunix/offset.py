"""How far the venue's clock is from ours. It has no time call, only the `Date` of its replies, which is whole seconds.

A reply dated D, asked for at `sent` and received at `received` (ours), was written while the venue's clock was in
[D, D + 1 s). So the offset (venue minus ours) lies in [D - received, D + 1 s - sent]; each reply narrows it further.
Clocks drift apart meanwhile, so what was learnt before is worth less with time: its interval grows by a drift assumed.
"""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from engine.core.config import SECOND

DRIFT_INVERSE: Final = 5_000
"""Two clocks drift apart by less than 1/5,000, 200 ppm; a crystal at room temperature by a tenth of that."""


@dataclass(slots=True)
class ClockOffset:
    """What is known of the offset: between `low_ns` and `high_ns`, from `samples` replies; nothing before the first."""

    low_ns: int = 0
    high_ns: int = 0
    samples: int = 0
    at_ns: int = 0  # ours, when the newest reply was received

    @property
    def correction_ns(self) -> int:
        """What to add to our time so that it is the venue's: 0 while that fits the evidence, else the least that does.

        The middle of the interval would be off by up to half a second where our clock is in fact right.
        """
        return min(max(0, self.low_ns), self.high_ns) if self.samples else 0

    @property
    def bound_ns(self) -> int:
        """The width of the interval."""
        return self.high_ns - self.low_ns

    def observe(self, date: str, sent_ns: int, received_ns: int) -> bool:
        """Take one reply's `Date`; False if it cannot be read. Contradiction means a clock was stepped: start anew."""
        try:
            dated_ns = int(parsedate_to_datetime(date).timestamp()) * SECOND
        except (ValueError, TypeError, OverflowError):
            return False
        low, high = dated_ns - received_ns, dated_ns + SECOND - sent_ns
        drift_ns = max(0, received_ns - self.at_ns) // DRIFT_INVERSE
        known_low, known_high = self.low_ns - drift_ns, self.high_ns + drift_ns
        if self.samples and low <= known_high and high >= known_low:
            low, high = max(low, known_low), min(high, known_high)
            self.samples += 1
        else:
            self.samples = 1
        self.low_ns, self.high_ns, self.at_ns = low, high, max(self.at_ns, received_ns)
        return True
