"""What must hold after every event, whenever the venue is reached, and once all is quiet."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from engine.core.engine import Engine
from engine.core.events import Act, AnyEvent, Command, FeedHealth, RunStarted
from engine.core.facts import AnyEffect, AnyFact, BlockChanged, FillBooked, OrderChanged, SignalEnded, Submit
from engine.core.money import text
from engine.core.words import BlockReason, OrderState, Purpose
from engine.session.emergency import BatchKept, read_kept
from store.database import open_reader, reading
from store.desk import open_store
from store.recovery import verify_file


def _enters(change: OrderChanged) -> bool:
    """Whether it is an entry order on its way out."""
    return change.purpose is Purpose.ENTRY and change.previous is OrderState.NEW


LIFTED_BY_RESUME: Final = (BlockReason.OPERATOR, BlockReason.RESTORED, BlockReason.OUTAGE)
ADOPTED: Final = "-a"
"""How the id of an order ends that stands for what an operator took over from the venue."""


class Violation(AssertionError):
    """An invariant does not hold. The message names it."""


class _Once:
    """What must happen once: what the table of the journal has of it, and what came since the desk's life began."""

    def __init__(self, table: str, column: str) -> None:
        self._rows = f"SELECT rowid, {column} FROM {table} WHERE rowid > ?"
        self._durable: set[str] = set()
        self._newest_row = 0
        self._fresh: set[str] = set()

    def forget_lost(self, reader: sqlite3.Connection) -> None:
        """A new life: what is durable is what counts from here."""
        self._fresh.clear()
        for row, what in reader.execute(self._rows, (self._newest_row,)):
            self._durable.add(what)
            self._newest_row = max(self._newest_row, row)

    def take(self, what: str, wrong: str) -> None:
        if what in self._fresh or what in self._durable:
            raise Violation(f"{wrong}: {what}")
        self._fresh.add(what)


class Watcher:
    """Looks at one world. `desk_of` gives the life whose core is asked, None while it is still recovering."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._fills, self._ended = _Once("fills", "fill_id"), _Once("outcomes", "signal_id")
        self._reader: sqlite3.Connection | None = None  # of this life: a new one has to learn the whole schema
        self.events = 0
        self.entries = 0
        self.problem = ""  # the first thing that did not hold

    # --- a new life ---

    def born(self) -> None:
        """What is durable is what counts from here."""
        if self._reader is not None:
            self._reader.close()
        self._reader = open_reader(self._world.home.database)
        for once in (self._fills, self._ended):
            once.forget_lost(self._reader)

    # --- after every event ---

    def saw(self, engine: Engine, event: AnyEvent, out: Sequence[AnyFact | AnyEffect]) -> None:
        """Look at what an event led to; what does not hold is kept, for the core must not be blamed for raising it."""
        try:
            self._saw(engine, event, out)
        except Violation as wrong:
            self.problem = self.problem or str(wrong)

    def _saw(self, engine: Engine, event: AnyEvent, out: Sequence[AnyFact | AnyEffect]) -> None:
        self.events += 1
        for item in out:
            if isinstance(item, FillBooked):
                self._fill(engine, item)
            elif isinstance(item, SignalEnded):
                self._ended.take(item.signal_id, "signal has two terminal states")
        if out and engine._ready:
            self._entries(engine, out)
        if isinstance(event, RunStarted) and self._world.wire:
            self._doubted(engine)
        elif isinstance(event, Command) and event.act is Act.KILL:
            self._killed(engine)
        elif isinstance(event, Command) and event.act is Act.RESUME:
            self._resumed(out)

    def _fill(self, engine: Engine, fill: FillBooked) -> None:
        self._fills.take(fill.fill_id, "fill is booked twice")
        accounts = engine.state.ledger.accounts
        if sum(accounts.values()):
            raise Violation(f"the ledger does not sum to zero: {accounts}")
        if engine.state.ledger_difference:
            raise Violation(f"ledger and positions differ by {engine.state.ledger_difference}")

    def _entries(self, engine: Engine, out: Sequence[Any]) -> None:
        state = engine.state
        for submit in [item for item in out if isinstance(item, OrderChanged) and _enters(item)]:
            self.entries += 1
            if state.killed or state.blocks:
                raise Violation(
                    f"entry {submit.order_id} left while {'killed' if state.killed else list(state.blocks)}"
                )
            if engine.desk.heat() > engine.desk.heat_limit():
                raise Violation(f"heat {engine.desk.heat()} above {engine.desk.heat_limit()} after {submit.order_id}")
            doubtful = [o.order_id for o in state.orders.values() if o.state is OrderState.UNKNOWN]
            is_stale = state.symbols[submit.symbol].health is not FeedHealth.LIVE
            known_wrong = [suspect.id for suspect in state.comparison.suspects.values() if suspect.id]
            if known_wrong:
                raise Violation(f"entry {submit.order_id} was decided on beside the discrepancies {known_wrong}")
            if doubtful or is_stale or self._world.paused or self._world.killed:
                told = f"paused {self._world.paused}, killed {self._world.killed}"
                raise Violation(f"entry {submit.order_id} was decided on: unknown {doubtful}, stale {is_stale}, {told}")
        for order in state.orders.values():
            if order.ended:
                raise Violation(f"order {order.order_id} works and has ended: {order.state}")

    def _doubted(self, engine: Engine) -> None:
        """After a restart nobody knows what became of the orders at the venue."""
        for order in engine.state.orders.values():
            if order.state is not OrderState.UNKNOWN:
                raise Violation(f"a run begins, and order {order.order_id} counts as {order.state}")

    def _killed(self, engine: Engine) -> None:
        """A kill takes back at once whatever works."""
        for order in engine.state.orders.values():
            if not order.reduce_only and order.state not in (OrderState.PENDING_CANCEL, OrderState.UNKNOWN):
                raise Violation(f"killed, and entry {order.order_id} is {order.state}")

    def _resumed(self, out: Sequence[AnyFact | AnyEffect]) -> None:
        """An operator's resume lifts what an operator may lift."""
        for item in out:
            if isinstance(item, BlockChanged) and not item.active and item.reason not in LIFTED_BY_RESUME:
                raise Violation(f"resume has lifted {item.reason}")

    # --- on the way out ---

    def leaves(self, order: Submit) -> None:
        """An order leaves the process: none that adds risk once a kill was asked for, or the journal has failed."""
        if self._world.killed and not order.reduce_only:
            self.problem = self.problem or f"entry {order.order_id} left after the kill"
        if self._world.desk.session._shell.emergency.is_on and not order.reduce_only:
            self.problem = self.problem or f"entry {order.order_id} left while the journal takes nothing"

    def reached(self, client_id: str) -> None:
        """An order arrives at the venue: its intent must be durable."""
        assert self._reader is not None
        found = self._reader.execute("SELECT 1 FROM orders WHERE order_id = ?", (client_id,)).fetchone()
        if found is None and client_id not in self._kept_orders():
            self.problem = self.problem or f"order {client_id} reached the venue before its intent was durable"

    def _kept_orders(self) -> set[str]:
        """The orders whose intent is in the emergency record."""
        kept = [item.batch for item in read_kept(self._world.home.emergency) if isinstance(item, BatchKept)]
        return {fact.order_id for batch in kept for _, fact in batch.facts if isinstance(fact, OrderChanged)}

    # --- when all is quiet ---

    def settled(self) -> list[str]:
        """What keeps the desk from being at one with its venue and itself; empty when nothing does."""
        world, engine = self._world, self._world.desk.session._shell.runner.engine
        state, wrong = engine.state, []
        wrong += [f"order {o.order_id} is {o.state}" for o in state.orders.values() if o.state is OrderState.UNKNOWN]
        if not world.wire:
            return wrong
        held = {symbol: position.qty for symbol, position in state.positions.items() if position.qty}
        there = {symbol: position.qty for symbol, position in world.account.books.positions.items()}
        if held != there:
            wrong.append(f"the desk holds {held}, the venue {there}")
        ours = {order.order_id for order in state.orders.values()}
        theirs = {order.client_id for order in world.account.working.values()}
        if theirs - ours:
            wrong.append(f"orders work at the venue alone: {sorted(theirs - ours)}")
        if ours - theirs:
            wrong.append(f"orders work at the desk alone: {sorted(ours - theirs)}")
        return wrong

    def books(self) -> None:
        """At the end, with the desk stopped and flat: the same fills, fees and cash on both sides, from the rows."""
        world = self._world
        with reading(world.home.database) as connection:
            rows = connection.execute("SELECT qty, price, fee, order_id FROM fills").fetchall()
            open_signals = connection.execute(
                "SELECT signal_id FROM signals WHERE signal_id NOT IN (SELECT signal_id FROM outcomes)"
            ).fetchall()
        if open_signals:
            raise Violation(f"signals without a terminal state: {open_signals}")
        if world.wire:
            mine = sorted((order_id, *amounts) for *amounts, order_id in rows if not order_id.endswith(ADOPTED))
            traded = [trade for trade in world.account.trades if trade.order.client_id]  # the others were made by hand
            theirs = sorted((t.order.client_id, text(t.qty), text(t.price), text(t.fee)) for t in traded)
            if mine != theirs:
                only_mine, only_theirs = set(mine) - set(theirs), set(theirs) - set(mine)
                raise Violation(f"fills differ: the desk alone has {only_mine}, the venue alone {only_theirs}")
        verified = verify_file(world.home.database)
        if verified.bad is not None:
            raise Violation(f"the chain is broken: {verified.bad}")

    def replays(self, make: Any) -> None:
        """The newest snapshot and its tail give the same core as the whole journal from its first event."""
        world = self._world
        store = open_store(world.home.database, "paper", world.clock, threaded=False)
        try:
            quick = Engine(make, store.recovered.snapshot)
            for event in store.recovered.tail:
                quick.handle(event)
            from store.inputs import Inputs

            whole = Engine(make)
            for _, event in Inputs(world.home.database, 0):
                whole.handle(event)
        finally:
            store.close()
        if quick.state_hash() != whole.state_hash():
            raise Violation("snapshot and tail are not what the whole journal gives")
