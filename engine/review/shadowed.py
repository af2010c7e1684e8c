"""Fills against what the execution model had expected of them: each order's own price beside those of its shadows.

The pessimistic profile is the worst the model holds for likely. A desk whose own fills are worse than that trades in
a market its paper results say nothing of. Slippage is a fraction, above zero when the desk's own fill was worse.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from engine.core import money
from engine.core.facts import AnyFact, FillBooked, ShadowFilled
from engine.review.dealing import Slippage, slippage

ORDERS_KEPT: Final = 20_000  # more are not compared: memory is bounded, and the figures are known well by then


class _Deal:
    """Bought or sold under one order: units (signed) and what they cost."""

    __slots__ = ("cost", "qty")

    def __init__(self) -> None:
        self.qty = self.cost = 0

    def add(self, qty: int, price: int) -> None:
        self.qty += qty
        self.cost += money.mul(qty, price)

    @property
    def price(self) -> int:
        return money.div(self.cost, self.qty)


class ProfileFigures(msgspec.Struct, frozen=True):
    """Of the orders both filled: their slippage against this profile; None where there are none.

    Attributes:
        worse: How many of them the desk got at a worse price than the profile.
        unfilled: Orders the desk got filled and the profile did not.
    """

    slippage: Slippage | None
    worse: int
    unfilled: int


class Shadowed:
    """Collects both kinds of fills."""

    def __init__(self) -> None:
        self._own: dict[str, _Deal] = {}
        self._shadows: dict[str, dict[str, _Deal]] = {}

    def take(self, fact: AnyFact) -> None:
        """One fact, in any order."""
        if isinstance(fact, FillBooked):
            self.add("", fact.order_id, fact.qty, fact.price)
        elif isinstance(fact, ShadowFilled):
            self.add(fact.profile, fact.order_id, fact.qty, fact.price)

    def add(self, profile: str, order_id: str, qty: int, price: int) -> None:
        """A fill of a profile's book; of the desk's own where `profile` is empty. `qty` signed."""
        deals = self._shadows.setdefault(profile, {}) if profile else self._own
        if order_id in deals or len(deals) < ORDERS_KEPT:
            deals.setdefault(order_id, _Deal()).add(qty, price)

    def figures(self) -> Mapping[str, ProfileFigures]:
        """By profile; none where there are no shadow books."""
        return {profile: self._against(deals) for profile, deals in sorted(self._shadows.items())}

    def _against(self, shadow: Mapping[str, _Deal]) -> ProfileFigures:
        slips, unfilled = [], 0
        for order_id, own in self._own.items():
            theirs = shadow.get(order_id)
            if theirs is None or not theirs.qty:
                unfilled += 1
            elif own.qty and theirs.price > 0:
                sign = 1 if own.qty > 0 else -1
                slips.append(sign * money.div(own.price - theirs.price, theirs.price))
        return ProfileFigures(slippage(slips), sum(slip > 0 for slip in slips), unfilled)
