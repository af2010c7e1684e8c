"""Where a resting order stands in the queue at its price, seen only through the size displayed there.

A venue serves a price first in, first out, and shows but the sum of what waits there. An order joins behind what is
displayed when it comes; trades at its price serve the queue before it. Size that leaves without trading was cancelled,
before us or behind us: nobody can see which. Two rules of thumb bracket it (`QueueRule`):

- BEHIND: all of it was behind us, so that only trades move us forward. The order is never filled too early.
- PROPORTIONAL: every unit in the queue is as likely to be cancelled as any other, so that the share before us leaves
  in proportion: ahead / displayed. The order is filled earlier, mostly too early, since those who have waited longest
  cancel least.

The problem and both answers: E. Rigtorp, "Estimating order queue position", 2013; the probability models in the
documentation of hftbacktest ("Order fill", queue models), of which PROPORTIONAL is the one with f(x) = x.
"""

from engine.core.liquidity import UNKNOWN_QUEUE
from engine.core.working import WorkingOrder


def served(working: WorkingOrder, traded: int, left: int) -> int:
    """`traded` went at the order's price, `left` of it not to other own orders; what remains for this one.

    The queue before it comes first.
    """
    taken = min(working.ahead, left)
    working.ahead -= taken
    working.traded += traded
    return left - taken


def seen(working: WorkingOrder, shown: int) -> None:
    """The size displayed at the order's price is now `shown`: credit the share of what was cancelled before it.

    What traded there since the last look has left the display as well, and counts once.
    """
    if shown == UNKNOWN_QUEUE:
        return
    before = working.shown - working.traded
    if 0 <= shown < before:
        working.ahead -= (before - shown) * min(working.ahead, before) // before
    working.shown, working.traded = shown, 0


def join(working: WorkingOrder, shown: int) -> None:
    """The order takes its place behind `shown`, the size displayed at its price."""
    working.ahead, working.shown, working.traded = shown, max(0, shown), 0
