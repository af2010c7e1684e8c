"""The desk's books against the broker's own: positions, orders and cash, compared again and again.

The broker's books are read at one moment and the desk's stand at another, so what differs may only be on its way. A
symbol in which something changed here since the books were asked for is passed over; a difference counts once it has
been seen `SEEN_MIN` times, and until then the orders it may come from are asked about. One that counts is a
discrepancy: it stops entries and alerts, and only books that agree lift it. So does a fill that cannot be: it is held
apart until an operator has it booked, or asks for books that agree without it.

The broker of a venue is read over its wire. The paper broker keeps its own ledger, by its own code, and is compared at
once.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from engine.core import money
from engine.core.config import SECOND
from engine.core.desk import Desk
from engine.core.events import AccountRead, BookOrder, BookPosition, Fill, SessionPhase
from engine.core.facts import Cancel, DiscrepancyChanged, Query, ReadAccount, Reconciled
from engine.core.paper import PaperBroker
from engine.core.safety import Safety
from engine.core.state import Suspect
from engine.core.words import AlertKind, BlockReason, OrderState

POLL_NS: Final = 5 * SECOND
PAPER_POLL_NS: Final = 60 * SECOND
AGAIN_NS: Final = SECOND
SEEN_MIN: Final = 3
CASH_TOLERANCE: Final = money.SCALE // 100
SETTLED: Final = frozenset({OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED})
"""Of an order in any other state no book can be expected to have, or not to have, it."""

REQUEST: Final = "request"
"""Why books are read that an operator wants compared."""

NOT_YET: Final = "the books have not been compared with the broker's yet"


class Difference(NamedTuple):
    """Something the two books have differently. `kind`: position, entry_price, cash, fill, or of an order missing,
    phantom, foreign, duplicate or order_fill."""

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
    """Compares the books of one desk."""

    def __init__(self, desk: Desk, safety: Safety, paper: PaperBroker | None) -> None:
        self._desk = desk
        self._safety = safety
        self._paper = paper

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
        self._forget(differences, stale, by_request=read.trigger == REQUEST)
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

    def hold(self, fill: Fill, flaw: str) -> None:
        """Keep a fill that cannot be off the books, as a discrepancy from the first sight, and compare them soon."""
        state, comparison = self._desk.state, self._desk.state.comparison
        state.held_fills[fill.fill_id] = fill
        told = f"{money.text(fill.qty)} {fill.symbol} at {money.text(fill.price)} for {fill.client_order_id}: {flaw}"
        difference = Difference("fill", fill.fill_id, "not booked", told, fill.symbol)
        at_ns, discrepancy_id = self._desk.at_ns, self._desk.new_id()
        suspect = Suspect(at_ns, SEEN_MIN, discrepancy_id, difference.ours, difference.theirs)
        comparison.suspects[difference.key] = suspect
        comparison.clean, comparison.due_ns = False, at_ns + AGAIN_NS
        self._desk.emit(self._changed(suspect, difference, ""))
        self._desk.alert(AlertKind.IMPOSSIBLE_FILL, f"{discrepancy_id}: {difference.text}")
        self._safety.block(BlockReason.RECONCILIATION, f"{difference.text} ({discrepancy_id})")

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

    def _forget(self, differences: dict[str, Difference], stale: set[str], *, by_request: bool) -> None:
        """Let go of what is alike again; what could not be compared stays, and a held fill until an operator asks."""
        unlike = {difference.symbol for difference in differences.values()} | stale
        suspects = self._desk.state.comparison.suspects
        for key in [key for key in suspects if key not in differences]:
            kind, _, subject = key.partition(" ")
            held, order = self._desk.state.held_fills.get(subject), self._desk.state.orders.get(subject)
            if kind == "fill" and held is not None and (not by_request or held.symbol in unlike):
                continue
            if subject in stale or (order is not None and order.symbol in stale) or (kind == "cash" and stale):
                continue
            self.resolve(key, "both books agree again", "")

    def resolve(self, key: str, resolution: str, actor: str) -> None:
        """Let a difference go, on record if it counted."""
        suspect = self._desk.state.comparison.suspects.pop(key)
        kind, _, subject = key.partition(" ")
        if kind == "fill":
            self._desk.state.held_fills.pop(subject, None)
        if suspect.id:
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
