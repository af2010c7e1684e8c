"""How fast the desk goes: orders and messages of the last minute, and the newest entries, to know a repeat.

Only entries are held back by it; an exit counts and passes.
"""

from bisect import bisect_right

import msgspec

from engine.core.config import MINUTE
from engine.core.words import Side


class Sent(msgspec.Struct, frozen=True):
    """An entry that was sent. `price` is its limit, or the touch it was to take."""

    at_ns: int
    strategy_id: str
    symbol: str
    side: Side
    price: int


class Pace(msgspec.Struct):
    """Times are UTC ns, oldest first; what has no bearing any more is forgotten with the next of its kind."""

    orders_ns: list[int] = []  # entries, and exits that close
    messages_ns: list[int] = []  # submits, cancels and amends
    entries: list[Sent] = []

    def message(self, at_ns: int, *, is_order: bool = False) -> None:
        """A submit, cancel or amend leaves; `is_order` for an entry or an exit that closes."""
        _note(self.messages_ns, at_ns)
        if is_order:
            _note(self.orders_ns, at_ns)

    def entered(self, sent: Sent, remembered_ns: int) -> None:
        """An entry was sent; how long it has to be remembered."""
        self.entries = [each for each in self.entries if sent.at_ns - each.at_ns < remembered_ns]
        self.entries.append(sent)

    def orders(self, at_ns: int) -> int:
        """Entries and closing exits of the last minute."""
        return _newer(self.orders_ns, at_ns - MINUTE)

    def messages(self, at_ns: int) -> int:
        """Messages of the last minute."""
        return _newer(self.messages_ns, at_ns - MINUTE)

    def since_same(self, wanted: Sent, most_ns: int) -> int:
        """How long ago the same entry was sent, in ns; `most_ns` if it was not, or longer ago."""
        for each in reversed(self.entries):
            if (
                each.symbol == wanted.symbol
                and each.price == wanted.price
                and each.side is wanted.side
                and each.strategy_id == wanted.strategy_id
            ):
                return min(wanted.at_ns - each.at_ns, most_ns)
        return most_ns


def _newer(times: list[int], horizon: int) -> int:
    return len(times) - bisect_right(times, horizon)


def _note(times: list[int], at_ns: int) -> None:
    times.append(at_ns)
    if times[0] <= at_ns - MINUTE:
        del times[: bisect_right(times, at_ns - MINUTE)]
