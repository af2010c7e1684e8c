"""The desk's books against the broker's own: positions, orders and cash, compared again and again.

The broker's books are read at one moment and the desk's stand at another, so what differs may only be on its way. A
symbol in which something changed here since the books were asked for is passed over; a difference counts once it has
been seen `SEEN_MIN` times, and until then the orders it may come from are asked about. One that counts is a
discrepancy: it stops entries and alerts, and only books that agree lift it.

The broker of a venue is read over its wire. The paper broker keeps its own ledger, by its own code, and is compared at
once.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from engine.core import money
from engine.core.blotter import Blotter
from engine.core.config import SECOND
from engine.core.desk import Desk
from engine.core.events import AccountRead, BookOrder, BookPosition, Fill, Role, SessionPhase
from engine.core.facts import Cancel, DiscrepancyChanged, Query, ReadAccount, Reconciled
from engine.core.orders import Order
from engine.core.paper import PaperBroker
from engine.core.safety import Safety
from engine.core.state import Suspect
from engine.core.words import AlertKind, BlockReason, ExitReason, OrderKind, OrderState, Purpose, TimeInForce

POLL_NS: Final = 5 * SECOND
PAPER_POLL_NS: Final = 60 * SECOND
AGAIN_NS: Final = SECOND
SEEN_MIN: Final = 3
CASH_TOLERANCE: Final = money.SCALE // 100
SETTLED: Final = frozenset({OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED})
"""Of an order in any other state no book can be expected to have, or not to have, it."""

NOT_YET: Final = "the books have not been compared with the broker's yet"
ADOPTED: Final = "adopted"


class Difference(NamedTuple):
    """Something the two books have differently. `kind`: position, entry_price, cash, or of an order missing, phantom,
    foreign, duplicate or order_fill."""

    kind: str
    subject: str
    ours: str
    theirs: str
    symbol: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind} {self.subject}"

    @property
    def text(self) -> str:
        return f"{self.kind} {self.subject}: {self.ours} here, {self.theirs} there"


class Reconciliation:
    """Compares the books of one desk. `fill` books the fill by which an operator adopts what the broker has."""

    def __init__(
        self, desk: Desk, safety: Safety, blotter: Blotter, paper: PaperBroker | None, fill: Callable[[Fill], None]
    ) -> None:
        self._desk = desk
        self._safety = safety
        self._blotter = blotter
        self._paper = paper
        self._fill = fill

    # --- when ---

    def begin(self) -> None:
        """A run begins: with a venue nothing is entered before the books have been compared."""
        state = self._desk.state
        state.comparison.touched.clear()
        state.comparison.due_ns, state.comparison.clean = 0, False
        if self._paper is None:
            self._safety.block(BlockReason.RECONCILIATION, NOT_YET)

    def open(self) -> None:
        """The session runs: compare from now on, at once unless that was done while it started."""
        if not self._desk.state.comparison.clean:
            self.ask("start")
        else:
            self._desk.state.comparison.due_ns = self._desk.at_ns + POLL_NS

    def reconnected(self) -> None:
        """The broker was out of hearing for a while."""
        if self._desk.state.phase is SessionPhase.RUNNING:
            self.ask("reconnect")

    def ask(self, trigger: str) -> None:
        """Compare now, or as soon as the broker's books have been read."""
        at_ns, comparison = self._desk.at_ns, self._desk.state.comparison
        comparison.trigger = trigger if trigger != "poll" else comparison.trigger or trigger
        comparison.due_ns = at_ns + (POLL_NS if self._paper is None else PAPER_POLL_NS)
        if self._paper is None:
            self._desk.emit(ReadAccount(comparison.trigger))
        else:
            self.take(self._paper_books(comparison.trigger))

    def due(self) -> None:
        if 0 < self._desk.state.comparison.due_ns <= self._desk.at_ns:
            self.ask("poll")

    @property
    def next_due_ns(self) -> int:
        return self._desk.state.comparison.due_ns

    # --- comparing ---

    def take(self, read: AccountRead) -> None:
        """Compare with the broker's books as they were read."""
        comparison = self._desk.state.comparison
        stale = {symbol for symbol, touched_ns in comparison.touched.items() if touched_ns >= read.asked_ns}
        differences = {difference.key: difference for difference in self._differences(read, stale)}
        self._forget(differences, stale)
        for key, difference in differences.items():
            self._suspect(key, difference)
        self._conclude(read, len(differences), complete=not stale)

    def _differences(self, read: AccountRead, stale: set[str]) -> Iterable[Difference]:
        yield from self._positions({p.symbol: p for p in read.positions}, stale)
        yield from self._orders(read.orders, stale)
        if not stale and read.cash is not None:
            yield from self._cash(read.cash)

    def _positions(self, theirs: dict[str, BookPosition], stale: set[str]) -> Iterable[Difference]:
        state = self._desk.state
        held = {symbol: position for symbol, position in state.positions.items() if position.qty}
        for symbol in sorted({*held, *theirs} - stale):
            ours, there = held.get(symbol), theirs.get(symbol)
            qty, there_qty = (ours.qty if ours else 0), (there.qty if there else 0)
            if qty != there_qty:
                yield Difference("position", symbol, money.text(qty), money.text(there_qty), symbol)
            elif ours is not None and there is not None and self._is_whole(symbol, qty):
                price, instrument = abs(money.div(ours.cost, ours.qty)), self._desk.instruments.get(symbol)
                if abs(price - there.entry_price) > (instrument.tick if instrument else 0):
                    texts = money.text(price), money.text(there.entry_price)
                    yield Difference("entry_price", symbol, *texts, symbol)

    def _is_whole(self, symbol: str, qty: int) -> bool:
        """Whether nothing of the position was sold yet: after that its price depends on which lots went first."""
        holding = self._desk.state.holdings.get(symbol)
        return holding is not None and holding.entered_qty == qty

    def _orders(self, orders: tuple[BookOrder, ...], stale: set[str]) -> Iterable[Difference]:
        state, theirs = self._desk.state, dict[str, BookOrder]()
        for there in orders:
            if there.symbol in stale:
                continue
            client_id = there.client_order_id
            if client_id in theirs:
                yield Difference("duplicate_order", client_id, "once", "twice", there.symbol)
            theirs[client_id or there.venue_order_id] = there
            ours = state.orders.get(client_id)
            if ours is None:
                kind = "phantom_order" if client_id in state.ended_orders else "foreign_order"
                here = state.ended_orders[client_id].state.value if client_id in state.ended_orders else "unknown"
                yield Difference(kind, client_id or there.venue_order_id, here, _order_text(there), there.symbol)
            elif ours.state in SETTLED and there.filled_qty != ours.filled_qty:
                texts = money.text(ours.filled_qty), money.text(there.filled_qty)
                yield Difference("order_fill", client_id, *texts, there.symbol)
        for order in state.orders.values():
            if order.state in SETTLED and order.symbol not in stale and order.order_id not in theirs:
                yield Difference("missing_order", order.order_id, order.state.value, "not working", order.symbol)

    def _cash(self, theirs: int) -> Iterable[Difference]:
        """Ours is without open positions too: what was paid for them is no loss."""
        state = self._desk.state
        if any(position.qty for position in state.positions.values()):
            return
        if state.comparison.cash_base is None:
            state.comparison.cash_base = theirs - state.cash
        ours = state.cash + state.comparison.cash_base
        if abs(ours - theirs) > CASH_TOLERANCE:
            yield Difference("cash", "cash", money.text(ours), money.text(theirs))

    # --- suspects and discrepancies ---

    def _suspect(self, key: str, difference: Difference) -> None:
        """A difference was seen: ask about what it may come from, and believe it once it stays."""
        state = self._desk.state
        suspect = state.comparison.suspects.get(key)
        if suspect is None or (suspect.ours, suspect.theirs) != (difference.ours, difference.theirs):
            fresh = Suspect(self._desk.at_ns, ours=difference.ours, theirs=difference.theirs)
            if suspect is not None and suspect.id:
                fresh.id, fresh.first_seen_ns = suspect.id, suspect.first_seen_ns
            state.comparison.suspects[key] = fresh
            self._look_into(difference)
            return
        suspect.seen += 1
        if suspect.seen >= (SEEN_MIN if self._paper is None else 1) and not suspect.id:
            suspect.id = self._desk.new_id()
            self._desk.emit(self._changed(suspect, difference, ""))
            self._desk.alert(AlertKind.RECONCILIATION, f"{suspect.id}: {difference.text}")
        if suspect.id:
            self._safety.block(BlockReason.RECONCILIATION, f"{difference.text} ({suspect.id})")

    def _look_into(self, difference: Difference) -> None:
        """Ask the venue about the orders a difference may come from, and take back what should not work."""
        if self._paper is not None:
            return
        if difference.kind == "phantom_order":
            self._desk.emit(Cancel(difference.subject, difference.symbol))
        for order in self._desk.state.orders.values():
            if order.symbol == difference.symbol and order.state in SETTLED:
                self._desk.emit(Query(order.order_id, order.symbol))

    def _forget(self, differences: dict[str, Difference], stale: set[str]) -> None:
        """Let go of what is alike again; what could not be compared stays."""
        suspects = self._desk.state.comparison.suspects
        for key in [key for key in suspects if key not in differences]:
            kind, _, subject = key.partition(" ")
            order = self._desk.state.orders.get(subject)
            if subject in stale or (order is not None and order.symbol in stale) or (kind == "cash" and stale):
                continue
            self._resolve(key, "both books agree again", "")

    def _resolve(self, key: str, resolution: str, actor: str) -> None:
        suspect = self._desk.state.comparison.suspects.pop(key)
        if suspect.id:
            kind, _, subject = key.partition(" ")
            gone = Difference(kind, subject, suspect.ours, suspect.theirs)
            self._desk.emit(self._changed(suspect, gone, resolution, actor))
            self._desk.alert(AlertKind.RECONCILED, f"{suspect.id} {resolution}: {gone.text}")

    def _changed(
        self, suspect: Suspect, difference: Difference, resolution: str, actor: str = ""
    ) -> DiscrepancyChanged:
        return DiscrepancyChanged(
            at_ns=self._desk.at_ns,
            discrepancy_id=suspect.id,
            kind=difference.kind,
            subject=difference.subject,
            ours=difference.ours,
            theirs=difference.theirs,
            first_seen_ns=suspect.first_seen_ns,
            resolution=resolution,
            actor=actor,
            text=difference.text,
        )

    def _conclude(self, read: AccountRead, differences: int, *, complete: bool) -> None:
        """Record what came of it, lift the block if all agree, and look again soon while a difference may still go."""
        state, comparison = self._desk.state, self._desk.state.comparison
        clean = complete and not comparison.suspects
        if read.trigger != "poll" or clean is not comparison.clean:
            positions, orders = len(read.positions), len(read.orders)
            told = (read.trigger, read.source, clean, differences, positions, orders, read.cash)
            self._desk.emit(Reconciled(self._desk.at_ns, *told))
        comparison.clean, comparison.compared_ns = clean, self._desk.at_ns
        is_open = any(not suspect.id for suspect in comparison.suspects.values())
        if complete and not is_open:
            comparison.trigger = ""
        if clean:
            comparison.reconciled_ns = self._desk.at_ns
            if not state.ledger_difference:
                self._safety.unblock(BlockReason.RECONCILIATION, "both books agree")
        elif is_open or comparison.trigger not in ("", "poll"):
            comparison.due_ns = self._desk.at_ns + AGAIN_NS

    # --- the operator ---

    def adopt(self, discrepancy_id: str, reason: str, actor: str) -> tuple[bool, str]:
        """Take the broker's side of a discrepancy into the desk's books, by name and on record."""
        suspects = self._desk.state.comparison.suspects
        found = next((key for key, suspect in suspects.items() if suspect.id == discrepancy_id), None)
        if found is None:
            standing = ", ".join(suspect.id for suspect in suspects.values() if suspect.id) or "none"
            return False, f"no discrepancy {discrepancy_id!r} stands; there are: {standing}"
        kind, _, subject = found.partition(" ")
        suspect = suspects[found]
        if kind == "position":
            self._adopt_position(subject, money.parse(suspect.theirs) - money.parse(suspect.ours), discrepancy_id)
        elif kind == "cash":
            base = self._desk.state.comparison.cash_base or 0
            self._desk.state.comparison.cash_base = base + money.parse(suspect.theirs) - money.parse(suspect.ours)
        else:
            return False, f"{kind} cannot be adopted: settle it at the broker, then reconcile again"
        self._resolve(found, f"{ADOPTED}: {reason}", actor)
        self.ask("request")
        return True, f"{found} adopted: {suspect.theirs} instead of {suspect.ours}"

    def _adopt_position(self, symbol: str, delta: int, discrepancy_id: str) -> None:
        """Book what is missing as a fill of an order of its own, at the newest price, without a fee."""
        state, holding = self._desk.state, self._desk.state.holdings.get(symbol)
        order = Order(
            order_id=f"{discrepancy_id}-a",
            signal_id=holding.signal_id if holding else "",
            strategy_id=holding.strategy_id if holding else "",
            symbol=symbol,
            purpose=Purpose.CLOSE,
            kind=OrderKind.MARKET,
            tif=TimeInForce.GTC,
            qty=delta,
            price=0,
            reduce_only=True,
            expected=self._desk.mark(symbol, -delta),
            placed_ns=state.at_ns,
            exit_reason=ExitReason.FORCE_CLOSE,
        )
        if holding is not None:
            holding.exit_reason = holding.leaving = ExitReason.FORCE_CLOSE
        self._blotter.adopt(order)
        at_ns, price = state.at_ns, order.expected
        fill_id = f"{order.order_id}-fill"
        self._fill(Fill(fill_id, order.order_id, symbol, at_ns, at_ns, delta, price, 0, Role.TAKER, ADOPTED, ADOPTED))

    def _paper_books(self, trigger: str) -> AccountRead:
        """The paper broker's ledger, read now."""
        assert self._paper is not None
        ledger, at_ns = self._paper.state.ledger, self._desk.at_ns
        positions = tuple(
            BookPosition(symbol, position.qty, abs(money.div(position.cost, position.qty)))
            for symbol, position in ledger.positions.items()
        )
        working = tuple(
            BookOrder(order_id, order_id, symbol, each.order.qty, each.filled)
            for symbol, orders in self._paper.state.working.items()
            for order_id, each in orders.items()
        )
        return AccountRead(at_ns, at_ns + 1, "paper", trigger, positions, working, ledger.wallet())


def _order_text(order: BookOrder) -> str:
    return f"{money.text(order.qty)} working, {money.text(order.filled_qty)} filled"
