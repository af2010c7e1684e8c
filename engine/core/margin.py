"""What positions bind of an account, and when it no longer carries them.

A position binds its value over the instrument's leverage when it is opened, and has to be covered by its value times
the maintenance fraction ever after. An account whose equity falls below the sum of these is liquidated. Amounts are in
quote currency, scaled; values are absolute.
"""

from collections.abc import Callable, Mapping
from typing import Final

from engine.core import money
from engine.core.config import Instrument
from engine.core.paper_ledger import PaperLedger, notional
from engine.core.working import WorkingOrders

Mark = Callable[[str], int]
"""The newest price of a symbol; 0: none is known."""

Band = tuple[int, int]
"""(low, high): as long as every bid is above `low` and every ask below `high`, nothing can happen."""

NOWHERE: Final[Band] = (2**62, -1)
"""No price is within."""


def bound(
    instruments: Mapping[str, Instrument], ledger: PaperLedger, working: WorkingOrders, mark: Mark, but_for: str = ""
) -> int:
    """What all positions bind, and all working orders that are not reduce-only as if they filled, `but_for` apart."""
    total = sum(
        initial(instruments[symbol], position.qty, mark(symbol)) for symbol, position in ledger.positions.items()
    )
    for symbol, orders in working.items():
        for order_id, each in orders.items():
            if not each.order.reduce_only and order_id != but_for:
                price = each.order.price or each.order.stop_price or mark(symbol)
                total += initial(instruments[symbol], each.rest, price)
    return total


def free(instruments: Mapping[str, Instrument], ledger: PaperLedger, working: WorkingOrders, mark: Mark) -> int:
    """What equity leaves beside `bound`, each price asked for once; a position without a mark stands at its cost."""
    left = ledger.cash
    for symbol, position in ledger.positions.items():
        instrument, price = instruments[symbol], mark(symbol)
        value = notional(instrument, position.qty, price) if price else position.cost
        left += value - money.div(abs(value), instrument.leverage_max)
    for symbol, orders in working.items():
        for each in orders.values():
            if not each.order.reduce_only:
                left -= initial(
                    instruments[symbol], each.rest, each.order.price or each.order.stop_price or mark(symbol)
                )
    return left


def initial(instrument: Instrument, qty: int, price: int) -> int:
    """What opening `qty` units at `price` binds."""
    return money.div(abs(notional(instrument, qty, price)), instrument.leverage_max)


def maintenance(instruments: Mapping[str, Instrument], ledger: PaperLedger, mark: Mark) -> int:
    """The equity below which the account no longer carries its positions."""
    return sum(
        money.mul(abs(notional(instruments[symbol], position.qty, mark(symbol))), instruments[symbol].maintenance)
        for symbol, position in ledger.positions.items()
    )


def safe_bands(instruments: Mapping[str, Instrument], ledger: PaperLedger, mark: Mark) -> dict[str, Band]:
    """For each open position the prices within which the account is certainly carried; none where nothing is asked.

    While the price of one is not known, no price of any is safe.
    What equity exceeds maintenance by is shared out evenly: as long as no symbol has used up its share by moving
    against its position, all together have not used up the whole.
    """
    held = {symbol: position.qty for symbol, position in ledger.positions.items()}
    if not any(instruments[symbol].maintenance for symbol in held):
        return {}
    if not all(map(mark, held)):
        return dict.fromkeys(held, NOWHERE)
    cushion = max(0, ledger.equity(instruments, mark) - maintenance(instruments, ledger, mark))
    bands: dict[str, Band] = {}
    for symbol, qty in held.items():
        instrument, price = instruments[symbol], mark(symbol)
        per_unit = abs(qty) * instrument.multiplier * (money.SCALE + instrument.maintenance)
        away = cushion * money.SCALE**3 // (len(held) * per_unit)
        bands[symbol] = (price - away, 2**62) if qty > 0 else (-1, price + away)
    return bands
