"""The live gate in the order path: what was worked out beforehand, asked synchronously before every live order.

Working it out reads the journal and takes milliseconds; asking it is a few comparisons on an immutable value. Orders
that reduce risk are never held back. Another thread may put a new standing in place at any time.
"""

from collections.abc import Callable

from engine.core import money
from engine.core.facts import Submit
from engine.review.live_gate import Level, Standing
from engine.review.moments import instant

GATE_LEVEL = Level.DENIED.value
"""The level where nothing is known."""


class LiveGate:
    """Holds the standing of one live desk. `look` works it out anew and blocks; it may run in any thread."""

    def __init__(self, weigh: Callable[[], Standing], record: Callable[[Standing], None]) -> None:
        self._weigh = weigh
        self._record = record
        self.standing = weigh()
        record(self.standing)

    def look(self) -> bool:
        """Work the standing out anew; True if it is another one, which is then on record."""
        found = self._weigh()
        before, self.standing = self.standing, found
        changed = _gist(found) != _gist(before)
        if changed:
            self._record(found)
        return changed

    def refusal(self, order: Submit, price: int, held: int, now_ns: int) -> str:
        """Why a live order may not leave; empty if it may.

        Args:
            price: The symbol's newest, scaled; 0: none is known.
            held: The position it adds to, signed and scaled.
        """
        if order.reduce_only:
            return ""
        standing = self.standing
        if not standing.allows:
            return f"the live gate is {standing.level.value}: {why(standing)}"
        if now_ns >= standing.expires_ns:
            return f"the live gate's evidence ended at {instant(standing.expires_ns)}"
        if standing.cap is None:
            return ""
        at = max(order.price, order.stop_price, price)
        if price <= 0:
            return "the live gate knows no price to hold its cap by"
        size = money.mul(abs(held + order.qty), at)
        if size > standing.cap:
            return f"the live gate caps a position at {money.text(standing.cap)}, and it would be {money.text(size)}"
        return ""


def why(standing: Standing) -> str:
    """The reasons of a standing in one line."""
    return "; ".join((*standing.reasons, *standing.missing))


def _gist(standing: Standing) -> tuple[object, ...]:
    return standing.level, standing.cap, standing.missing, standing.reasons
