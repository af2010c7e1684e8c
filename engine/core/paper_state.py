"""What a paper broker remembers: plain values only, so that a snapshot of it, decoded, goes on exactly where it was."""

from typing import Final

import msgspec

from engine.core.facts import Amend, Cancel, Submit
from engine.core.liquidity import MarketMemory, Taken
from engine.core.paper_ledger import PaperLedger
from engine.core.working import WorkingOrders

KNOWN_KEPT: Final = 1_000
"""So many order ids are remembered: one sent again within them never works twice."""


class Arrival(msgspec.Struct):
    """A message on its way to the broker: a submit, a cancel or an amend, in force at `due_ns`.

    `whole`: the order closes the whole position, see `WorkingOrder`.
    """

    due_ns: int
    number: int
    submit: Submit | None = None
    cancel: Cancel | None = None
    amend: Amend | None = None
    whole: bool = False

    @property
    def message(self) -> Submit | Cancel | Amend:
        """What was sent."""
        message = self.submit or self.cancel or self.amend
        assert message is not None
        return message


class PaperAccount(msgspec.Struct):
    """One profile's account.

    `working` holds by symbol the working orders by id in order of arrival (no entry for a symbol without one),
    `pending` the messages on their way, earliest first, `submitted` counts the submits ever made,
    `known` holds the newest ids that arrived, with the number accepted under each; 0: refused.
    """

    ledger: PaperLedger
    working: WorkingOrders = {}
    pending: list[Arrival] = []
    submitted: int = 0
    known: dict[str, int] = {}
    taken: Taken = msgspec.field(default_factory=Taken)


class PaperState(PaperAccount):
    """The account the desk's books follow, the market it is filled from, and its shadows by profile."""

    market: MarketMemory = msgspec.field(default_factory=MarketMemory)
    shadows: dict[str, PaperAccount] = {}


def opening_state(cash: int) -> PaperState:
    """A new account with `cash` and nothing else."""
    return PaperState(PaperLedger(cash))
