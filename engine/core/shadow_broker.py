"""The broker of a shadow: an account broker whose orders can be dropped and that can be told to go flat."""

import msgspec

from engine.core.account_broker import AccountBroker
from engine.core.facts import Submit
from engine.core.words import OrderKind, TimeInForce


class ShadowBroker(AccountBroker):
    """Fills what it is sent, and ends it when the base it follows is done."""

    def symbols(self) -> list[str]:
        """Every symbol with a position, a working order or a submit on its way."""
        sent = (arrival.submit.symbol for arrival in self._pending if arrival.submit is not None)
        return list(dict.fromkeys((*self.account.ledger.positions, *self._working, *sent)))

    def drop(self, order_id: str) -> None:
        """Forget an order and every message about it, at once; nothing if there is none by that id."""
        kept = [arrival for arrival in self._pending if arrival.message.order_id != order_id]
        self._pending[:] = kept
        self.next_due_ns = kept[0].due_ns if kept else 0
        for orders in list(self._working.values()):
            if order_id in orders:
                self._execution.end(orders[order_id], 0, "dropped")
        self._guard_all()

    def leave(self, symbol: str, at_ns: int) -> None:
        """End every order in `symbol` but those that close the position at market; close at market what none closes."""
        left = self.account.ledger.qty(symbol)
        for working in list(self._working.get(symbol, {}).values()):
            if not left or not working.order.reduce_only or working.waits or working.kind is not OrderKind.MARKET:
                self.drop(working.order.order_id)
                continue
            if working.whole:  # from now on it closes what is held today, and nothing that may come later
                working.whole = False
                working.order = msgspec.structs.replace(working.order, qty=working.filled - left)
            left -= _closed(left, working.rest)
        for arrival in list(self._pending):
            if arrival.submit is None or arrival.submit.symbol != symbol:
                continue
            if not left or not arrival.submit.reduce_only or arrival.submit.kind is not OrderKind.MARKET:
                self.drop(arrival.submit.order_id)
                continue
            if arrival.whole:
                arrival.whole = False
                arrival.submit = msgspec.structs.replace(arrival.submit, qty=-left)
            left -= _closed(left, abs(arrival.submit.qty))
        if left:
            number = self.account.submitted + 1
            order = Submit(f"closing-{number}", symbol, -left, OrderKind.MARKET, TimeInForce.GTC, 0, reduce_only=True)
            self.submit(order, at_ns, -number)


def _closed(held: int, qty: int) -> int:
    """What an order of `qty` units closes of `held` (signed like it)."""
    return min(held, qty) if held > 0 else max(held, -qty)
