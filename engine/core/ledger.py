"""The desk's second set of books: double entry, made from deposits, fills and funding alone.

Every posting changes accounts by amounts that sum to zero, so the accounts always do. A balance above zero is what the
desk has or has spent (cash, an asset at what was paid for it, fees, funding), one below zero where that came from
(capital, realised profit). Nothing here knows `positions`: the two compute the same figures each in their own way, and
`Bookkeeping` compares them after every posting. Amounts are scaled integers (`engine.core.money`).

Source of the method: Pacioli, "Summa de arithmetica", 1494, Particularis de computis et scripturis.
"""

from collections.abc import Mapping, Sequence

import msgspec

from engine.core import money

CASH = "cash"
CAPITAL = "capital"
REALIZED = "realized_pnl"
FEES = "fees"
FUNDING = "funding"


def asset(symbol: str) -> str:
    """The account that holds what was paid for the units of `symbol` still held; short, what was received."""
    return f"asset:{symbol}"


class Unbalanced(Exception):
    """A posting whose amounts do not sum to zero: a bug, so the engine stops."""

    def __init__(self, amounts: Mapping[str, int]) -> None:
        super().__init__(f"posting does not sum to zero: {dict(amounts)}")
        self.amounts = amounts


class Parcel(msgspec.Struct):
    """Units bought (sold: `qty` and `paid` below zero) in one fill and not given up yet, and what they cost."""

    qty: int
    paid: int


class Ledger(msgspec.Struct):
    """Accounts by name, and by symbol the parcels behind its asset account, oldest first (flat: no entry)."""

    accounts: dict[str, int] = {}
    parcels: dict[str, list[Parcel]] = {}

    def deposit(self, amount: int) -> None:
        """Capital is paid in."""
        self._post({CASH: amount, CAPITAL: -amount})

    def fill(self, symbol: str, qty: int, price: int, fee: int) -> int:
        """`qty` units (positive bought, negative sold) change hands at `price`; the profit realised, before the fee."""
        paid = money.mul(price, qty)
        parcels = self.parcels.setdefault(symbol, [])
        opening, given_up = _give_up(parcels, qty)
        closed_at = money.mul(price, qty - opening) if opening else paid
        if opening:
            parcels.append(Parcel(opening, paid - closed_at))
        elif not parcels:
            del self.parcels[symbol]
        profit = -closed_at - given_up
        bought = paid - closed_at - given_up
        self._post({CASH: -paid - fee, FEES: fee, asset(symbol): bought, REALIZED: -profit})
        return profit

    def pay_funding(self, amount: int) -> None:
        """Funding is paid (below zero: received)."""
        self._post({CASH: -amount, FUNDING: amount})

    def take_over(self, cash: int, held: Mapping[str, Sequence[tuple[int, int]]]) -> None:
        """Open the accounts on books that exist: `cash`, and by symbol the (qty, paid) held, oldest first."""
        self.deposit(cash)
        for symbol, parcels in held.items():
            self.parcels[symbol] = [Parcel(qty, paid) for qty, paid in parcels]
            paid = sum(paid for _, paid in parcels)
            self._post({asset(symbol): paid, CAPITAL: -paid})

    def qty(self, symbol: str) -> int:
        """Units held, signed."""
        return sum(parcel.qty for parcel in self.parcels.get(symbol, ()))

    def balance(self, account: str) -> int:
        return self.accounts.get(account, 0)

    def total(self) -> int:
        """The sum of all accounts: zero."""
        return sum(self.accounts.values())

    def _post(self, amounts: Mapping[str, int]) -> None:
        if sum(amounts.values()):
            raise Unbalanced(amounts)
        for account, amount in amounts.items():
            self.accounts[account] = self.accounts.get(account, 0) + amount


def _give_up(parcels: list[Parcel], qty: int) -> tuple[int, int]:
    """Take from the oldest parcels what `qty` of the other sign offsets; what is left of `qty`, and what they had cost.

    The cost of a part is rounded half away from zero; the rest stays with the parcel, so none is lost.
    """
    given_up = 0
    while qty and parcels and parcels[0].qty * qty < 0:
        oldest = parcels[0]
        if abs(oldest.qty) <= abs(qty):
            part, taken = oldest.paid, -oldest.qty
            parcels.pop(0)
        else:
            part, taken = _rounded(oldest.paid * qty, -oldest.qty), qty
            oldest.qty += taken
            oldest.paid -= part
        qty -= taken
        given_up += part
    return qty, given_up


def _rounded(numerator: int, denominator: int) -> int:
    """The quotient, rounded half away from zero."""
    half = (2 * abs(numerator) + abs(denominator)) // (2 * abs(denominator))
    return half if (numerator < 0) == (denominator < 0) else -half
