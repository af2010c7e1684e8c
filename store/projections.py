"""Projections: the tables people and reports read, computed row by row from the journal and from nothing else.

Each journal row is projected in the transaction that writes it; doing the same over the whole journal again gives
identical rows (`rebuild`). A fact that breaks a table's rule (a second outcome of one signal, a rejection without a
reason, a fill booked twice) is refused by the schema, and with it the whole batch.
"""

import json
import sqlite3
from functools import cache
from typing import Final, NamedTuple

import msgspec

from engine.core import money
from engine.core.facts import AnyFact, FillBooked, OrderChanged, PhaseChanged
from store.chain import newest_anchor
from store.errors import StoreError
from store.rows import FACT_KINDS, GATE_KINDS, PROJECTED, rows_of

FINAL_PHASES: Final = ("COMPLETED", "FATAL_ERROR", "ALREADY_RUNNING", "CONFIG_VALIDATION_FAILED")


class Place(NamedTuple):
    """Where a fact stands: its journal row, its run, and the desk's mode."""

    row: int
    run: int
    mode: str


fact_decoder: Final = msgspec.json.Decoder(AnyFact)


def project_fact(db: sqlite3.Connection, at: Place, fact: AnyFact) -> None:
    """Bring the tables up to date with one fact."""
    if isinstance(fact, OrderChanged) and _change_order(db, fact):
        return
    table, rows = rows_of(fact)
    if rows:
        sql = _insert_into(table, (*rows[0], "row", "run", "mode"))
        db.executemany(sql, [(*columns.values(), *at) for columns in rows])
    if isinstance(fact, FillBooked):
        _book_position(db, at, fact)
    elif isinstance(fact, PhaseChanged):
        _enter_phase(db, at, fact)


def project_note(db: sqlite3.Connection, at: Place, kind: str, at_ns: int, ref: str, body: str) -> None:
    """Bring the tables up to date with one of the journal's own rows: a run's start, its input, its report."""
    if kind == "run":
        db.execute(
            "INSERT INTO runs (run, run_id, mode, first_row, started_ns) VALUES (?, ?, ?, ?, ?)",
            (at.run, ref, at.mode, at.row, at_ns),
        )
    elif kind == "run_started":
        start = json.loads(body)
        db.execute(
            "UPDATE runs SET seed = ?, starting_equity = ?, config_hash = ? WHERE run = ?",
            (start["seed"], start["starting_equity"], start["config_hash"], at.run),
        )
    elif kind == "dead_letter":
        letter = json.loads(body)
        names = ("operation", "payload", "state", "error_class", "text", "attempts", "first_ns", "actor")
        db.execute(
            "INSERT INTO dead_letter_changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (at.row, at.run, at.mode, at_ns, ref, *(letter[name] for name in names)),
        )
    elif kind == "protocol":
        terms = json.loads(body)
        db.execute(
            "INSERT INTO protocols VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (at.row, at.run, at.mode, at_ns, ref, terms["terms"]["protocol"], terms["digest"], body),
        )
    elif kind == "verdict":
        passed = json.loads(json.loads(body)["statement"])["verdict"]["passed"]
        db.execute(
            "INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?)", (at.row, at.run, at.mode, at_ns, ref, passed, body)
        )
    elif kind == "artifact":
        seal = json.loads(body)
        db.execute(
            "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?)",
            (at.row, at.run, at.mode, at_ns, ref, seal["sha256"], json.dumps(seal["given"])),
        )
    elif kind in GATE_KINDS:
        db.execute(
            "INSERT INTO gate_records VALUES (?, ?, ?, ?, ?, ?, ?)", (at.row, at.run, at.mode, at_ns, kind, ref, body)
        )
    elif kind == "report":
        db.execute("UPDATE runs SET report = ? WHERE run_id = ?", (body, ref))


def rebuild(db: sqlite3.Connection, mode: str) -> None:
    """Compute every projection again from the journal, in one transaction.

    Raises:
        StoreError: rows they rest on are archived; the tables stay as they are.
    """
    if newest_anchor(db) is not None:
        raise StoreError("the oldest rows are archived: the tables cannot be computed from the rest alone")
    db.execute("BEGIN IMMEDIATE")
    try:
        for table in PROJECTED:
            db.execute(_delete_from(table))
        source = "SELECT id, run, kind, at_ns, ref, body FROM journal WHERE kind <> 'block' ORDER BY id"
        for row, run, kind, at_ns, ref, body in db.execute(source):
            if kind in FACT_KINDS:
                project_fact(db, Place(row, run, mode), fact_decoder.decode(body))
            else:
                project_note(db, Place(row, run, mode), kind, at_ns, ref, body)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _change_order(db: sqlite3.Connection, f: OrderChanged) -> bool:
    """Update an order that is known, also to the terms an amend gave it; False for a new one."""
    changed = db.execute(
        "UPDATE orders SET updated_ns = ?, qty = ?, price = ?, stop_price = ?, state = ?, filled_qty = ?, "
        "average_price = ?, reason_code = ?, text = ?, venue_order_id = iif(? = '', venue_order_id, ?) "
        "WHERE order_id = ?",
        (
            *(f.at_ns, money.text(f.qty), money.text(f.price), money.text(f.stop_price), f.state.value),
            *(money.text(f.filled_qty), money.text(f.average_price), f.reason_code, f.text),
            *(f.venue_order_id, f.venue_order_id, f.order_id),
        ),
    )
    return changed.rowcount == 1


def _book_position(db: sqlite3.Connection, at: Place, f: FillBooked) -> None:
    """The position after the fill: its cost grows by the fill's value, less what closing released of it.

    That part follows from the fact's own realized result, so the cost here is the core's to the last digit.
    """
    found = db.execute("SELECT cost FROM positions WHERE symbol = ?", (f.symbol,)).fetchone()
    cost = (money.parse(found[0]) if found else 0) + money.mul(f.qty, f.price) + f.realized
    before = f.position_qty - f.qty
    if f.position_qty == 0:
        db.execute("DELETE FROM positions WHERE symbol = ?", (f.symbol,))
        return
    figures = (money.text(f.position_qty), money.text(cost), money.text(money.div(cost, f.position_qty)), f.at_ns)
    if found and (before > 0) == (f.position_qty > 0):
        db.execute(
            "UPDATE positions SET qty = ?, cost = ?, entry_price = ?, updated_ns = ? WHERE symbol = ?",
            (*figures, f.symbol),
        )
    else:  # opened from flat, or turned over through flat: the fill's signal is the position's
        db.execute(
            "INSERT OR REPLACE INTO positions (symbol, mode, opened_ns, signal_id, strategy_id, qty, cost, "
            "entry_price, updated_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (f.symbol, at.mode, f.at_ns, f.signal_id, f.strategy_id, *figures),
        )


def _enter_phase(db: sqlite3.Connection, at: Place, f: PhaseChanged) -> None:
    ended_ns = f.at_ns if f.phase in FINAL_PHASES else None
    db.execute("UPDATE runs SET phase = ?, ended_ns = ? WHERE run = ?", (f.phase, ended_ns, at.run))


# Table and column names below come from `store.rows` alone; values always travel as parameters.


@cache
def _insert_into(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


@cache
def _delete_from(table: str) -> str:
    return f"DELETE FROM {table}"  # noqa: S608
