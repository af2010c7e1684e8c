"""A Binance order book kept from a REST snapshot and the stream of changes, by the venue's own rules.

Changes are numbered: `first` (U) to `last` (u), and on futures `previous` (pu), the number the change follows. The
first change after a snapshot must contain it, every later one must follow its predecessor. Anything else is a gap:
the book is not shown again until a newer snapshot has been met.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

WAITING_MAX: Final = 1_000  # changes kept until their snapshot arrives

Levels = Sequence[tuple[int, int]]


class Change(msgspec.Struct, frozen=True):
    """New quantities at some prices; 0 removes the level. `previous` is -1 on spot, which does not send it."""

    first: int
    last: int
    previous: int
    bids: Levels
    asks: Levels


class LocalBook:
    """One symbol's book. `is_live` is False before a snapshot has been met, and after a gap."""

    def __init__(self) -> None:
        self.is_live = False
        self._last = -1
        self._snapshot = -1  # a snapshot taken and not yet met by a change
        self._waiting: deque[Change] = deque()
        self._bids = _Side()
        self._asks = _Side()

    def snapshot(self, last: int, bids: Levels, asks: Levels) -> str:
        """Begin anew from a snapshot; what is wrong, if anything. One older than the live book is of no use."""
        if self.is_live and last <= self._last:
            return ""
        self._bids, self._asks = _Side(bids), _Side(asks)
        self._snapshot, self._last, self.is_live = last, last, False
        waiting = list(self._waiting)
        self._waiting.clear()
        for change in waiting:
            if trouble := self.change(change):
                return trouble
        return ""

    def change(self, change: Change) -> str:
        """Apply a change, or keep it until there is a snapshot; what is wrong, if anything."""
        if not self.is_live:
            if self._snapshot < 0:
                return self._wait(change)
            return self._meet(change)
        follows = change.previous == self._last if change.previous >= 0 else change.first == self._last + 1
        if not follows:
            return self._lose(change, f"the update {change.first} does not follow {self._last}")
        return self._apply(change)

    def top(self, depth: int) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """The best `depth` levels of each side, best first."""
        return self._bids.highest(depth), self._asks.lowest(depth)

    def _wait(self, change: Change) -> str:
        """Keep a change until its snapshot comes; said once in a while when none does."""
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append(change)
            return ""
        self._waiting.clear()
        self._waiting.append(change)
        return f"no snapshot has come for {WAITING_MAX} updates"

    def _meet(self, change: Change) -> str:
        """The first change after a snapshot: dropped while older, applied when it contains the snapshot."""
        futures = change.previous >= 0
        if change.last < self._snapshot or (change.last == self._snapshot and not futures):
            return ""
        if change.first > self._snapshot + (0 if futures else 1):
            return self._lose(change, f"the snapshot {self._snapshot} is older than the updates from {change.first} on")
        self.is_live, self._snapshot = True, -1
        return self._apply(change)

    def _apply(self, change: Change) -> str:
        self._last = change.last
        for price, qty in change.bids:
            self._bids.set(price, qty)
        for price, qty in change.asks:
            self._asks.set(price, qty)
        best_bid, best_ask = self._bids.highest(1), self._asks.lowest(1)
        if not best_bid or not best_ask:
            return self._lose(None, "one side of the book is empty")
        if best_bid[0][0] >= best_ask[0][0]:
            return self._lose(None, "the book is crossed")
        return ""

    def _lose(self, change: Change | None, trouble: str) -> str:
        """Nothing can be trusted until the next snapshot; this change may already be part of what comes after it."""
        self.is_live, self._snapshot = False, -1
        self._waiting.clear()
        if change is not None:
            self._waiting.append(change)
        return trouble


class _Side:
    """Prices in rising order and the quantity at each."""

    def __init__(self, levels: Levels = ()) -> None:
        self._quantities = {price: qty for price, qty in levels if qty}
        self._prices = sorted(self._quantities)

    def set(self, price: int, qty: int) -> None:
        known = price in self._quantities
        if qty:
            self._quantities[price] = qty
            if not known:
                insort(self._prices, price)
        elif known:
            del self._quantities[price]
            del self._prices[bisect_left(self._prices, price)]

    def lowest(self, count: int) -> tuple[tuple[int, int], ...]:
        return tuple([(price, self._quantities[price]) for price in self._prices[:count]])

    def highest(self, count: int) -> tuple[tuple[int, int], ...]:
        return tuple([(price, self._quantities[price]) for price in reversed(self._prices[-count:])])
