"""The tables: what the facts say, and nothing the journal could not say again."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import money
from engine.core.facts import AnyFact, FillBooked
from engine.core.words import OrderState, ReasonCode, TerminalState
from engine.review.evidence import Files
from engine.review.protocol import verdict
from engine.review.protocols import PROTOCOLS
from engine.session.dead_letters import Letter, LetterState
from store import migrations
from store.desk import Store
from store.projections import Place, project_fact
from store.rows import PROJECTED
from tests.review.proving import good
from tests.store.making import (
    T0,
    batch,
    desk,
    ended,
    filled,
    judged,
    one_of_each,
    order,
    raised,
    round_trip,
    run_started,
    trade,
)

SCHEMA = migrations._scripts()[0]
Dump = dict[str, list[tuple[object, ...]]]


def dump(store: Store) -> Dump:
    connection = sqlite3.connect(store.path)
    try:
        return {table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in PROJECTED}
    finally:
        connection.close()


def select(store: Store, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(store.path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_every_kind_of_fact_has_a_row(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, [run_started()], one_of_each(1))).result()
    state = LetterState.WAITING
    store.record_letter(Letter("backup-1", "backup", "{}", state, "DiskFull", "no space left", 3, T0, T0)).result()
    evidence = good("72h")
    store.record_protocol(evidence.terms).result()
    store.record_gate("bypass", "ann", "{}").result()
    store.record_verdict(verdict(PROTOCOLS["72h"], evidence), Files(), T0).result()
    store.record_seal("2026-01-31", "0" * 64, {"gate_level": "DENIED"}).result()
    store.close()
    assert [table for table, rows in dump(store).items() if not rows] == []


def test_rebuilding_gives_the_same_rows(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, [run_started()], one_of_each(1))).result()
    store.journal.commit(batch(2, 5, [(3, raised("s7")), (4, order("o7", signal_id="s7"))], run_id="run-2")).result()
    store.record_report("run-1", '{"net_pnl": "1"}').result()
    before = dump(store)
    connection = sqlite3.connect(store.path)
    connection.execute("UPDATE fills SET fee = '0'")
    connection.execute("DELETE FROM trades")
    connection.commit()
    connection.close()
    assert dump(store) != before
    store.rebuild_projections().result()
    assert dump(store) == before
    store.journal.commit(batch(7, 1, run_id="run-2")).result()
    store.close()
    assert store.verify().is_good


def test_a_judged_signal_has_a_row_for_each_check_in_order(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 1, [(1, raised()), (1, judged())])).result()
    assert select(store, "SELECT position, layer, rule, value, limit_value, ok FROM evaluations ORDER BY position") == [
        (1, 0, "kill", "0", "0", 1),
        (2, 4, "heat", "0.004", "0.01", 1),
    ]
    (plan,) = select(store, "EXPLAIN QUERY PLAN SELECT * FROM evaluations WHERE signal_id = 's1'")
    assert "USING PRIMARY KEY (signal_id=?)" in str(plan[3])
    store.close()


def test_money_is_kept_as_exact_text(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 1, [(1, trade(pnl="-0.00000001"))])).result()
    assert select(store, "SELECT pnl, pnl_e8, fees, fees_e8 FROM trades") == [("-0.00000001", -1, "2.4", 240_000_000)]
    store.close()


@given(st.integers(-(10**17), 10**17))
def test_the_integer_beside_a_decimal_text_is_exact(value: int) -> None:
    connection = sqlite3.connect(":memory:")
    (expression,) = {
        line.split(" AS (", 1)[1].rsplit(")", 1)[0]
        for line in SCHEMA.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith("pnl_e8")
    }
    (found,) = connection.execute(f"SELECT {expression} FROM (SELECT ? AS pnl)", (money.text(value),)).fetchone()
    connection.close()
    assert found == value


def test_daily_performance_adds_up_exactly(tmp_path: Path) -> None:
    store = desk(tmp_path)
    day = 86_400_000_000_000
    pnls = ["0.1", "0.2", "-0.30000001", "5"]
    trades = [(1, trade(f"t{n}", pnl, 20_000 * day + n // 3 * day)) for n, pnl in enumerate(pnls)]
    store.journal.commit(batch(1, 1, trades)).result()
    assert select(store, "SELECT day, mode, trades, wins, losses, pnl, fees FROM daily_performance ORDER BY day") == [
        ("2024-10-04", "PAPER", 3, 2, 1, "-0.00000001", "7.20000000"),
        ("2024-10-05", "PAPER", 1, 1, 0, "5.00000000", "2.40000000"),
    ]
    store.close()


def test_an_order_keeps_what_it_was_placed_with_and_shows_its_last_state(tmp_path: Path) -> None:
    store = desk(tmp_path)
    changes = [
        order(),
        order(state=OrderState.ACCEPTED, at_ns=5, venue_order_id="v1"),
        order(state=OrderState.FILLED, filled="0.2", at_ns=9),
    ]
    store.journal.commit(batch(1, 1, [(1, change) for change in changes])).result()
    found = select(store, "SELECT state, filled_qty, updated_ns, placed_ns > 9, venue_order_id, row FROM orders")
    assert found == [("FILLED", "0.2", 9, 1, "v1", 3)]
    store.close()


def test_trade_records_have_the_columns_reports_ask_for(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 1, round_trip(1))).result()
    connection = sqlite3.connect(store.path)
    connection.row_factory = sqlite3.Row
    (record,) = connection.execute("SELECT * FROM trade_records").fetchall()
    assert (record["entry_premium"], record["exit_premium"], record["pnl"]) == ("60000", "61000", "197.6")
    assert (record["entry_date"], record["duration_days"]) == ("2025-10-09T08:53:20Z", 0)
    assert (record["strategy_id"], record["exit_reason"], record["duration_seconds"]) == ("trend", "TP", 2)
    connection.close()
    store.close()


def test_a_block_is_active_until_it_is_lifted(tmp_path: Path) -> None:
    store = desk(tmp_path)
    facts = one_of_each(1)
    store.journal.commit(batch(1, 1, facts)).result()
    assert select(store, "SELECT reason, text, lifts FROM active_blocks") == [("operator", "lunch", "resume")]
    assert select(store, "SELECT name, tripped, value FROM breaker_states") == [("daily_loss", 1, "51")]
    store.close()


def test_every_step_of_a_trade_leads_back_to_its_signal(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 1, round_trip(1))).result()
    steps = select(store, "SELECT what, id, parent_id FROM signal_trace WHERE signal_id = 's1' ORDER BY row, part")
    assert steps == [
        ("signal", "s1", ""),
        ("order", "o1", "s1"),
        ("fill", "f1", "o1"),
        ("position", "BTCUSDT", "f1"),
        ("fill", "f2", "o1"),
        ("position", "BTCUSDT", "f2"),
        ("outcome", "s1", "s1"),
        ("fill", "f3", "o2"),
        ("position", "BTCUSDT", "f3"),
        ("trade", "t1", "s1"),
    ]
    assert select(store, "SELECT count(*) FROM trades WHERE signal_id NOT IN (SELECT signal_id FROM signals)") == [(0,)]
    store.close()


def test_all_six_states_are_taken_and_no_seventh(tmp_path: Path) -> None:
    store = desk(tmp_path)
    for seq, state in enumerate(TerminalState, start=1):
        facts: list[tuple[int, AnyFact]] = [
            (seq, raised(f"s{seq}")),
            (seq, ended(f"s{seq}", state, ReasonCode.HEAT, "4.1 % of 4 %")),
        ]
        store.journal.commit(batch(seq, 1, facts)).result()
    connection = sqlite3.connect(store.path)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE outcomes SET state = 'REJECTED_BY_MOOD'")
    connection.close()
    store.close()


@given(st.lists(st.tuples(st.integers(-5, 5).filter(bool), st.integers(90, 110)), min_size=1, max_size=12))
@settings(deadline=None)
def test_positions_follow_the_lots_first_in_first_out(moves: list[tuple[int, int]]) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for script in migrations._scripts():
        connection.executescript(script.read_text(encoding="utf-8"))
    lots: list[tuple[int, int]] = []  # (signed unit, price), oldest first
    for number, (qty, price) in enumerate(moves):
        realized = 0
        for _ in range(abs(qty)):
            unit = 1 if qty > 0 else -1
            if lots and lots[0][0] != unit:
                held, cost = lots.pop(0)
                realized += held * (price - cost)
            else:
                lots.append((unit, price))
        after = sum(unit for unit, _ in lots)
        fact = filled(f"f{number}", str(qty), str(price), str(after), str(realized))
        assert isinstance(fact, FillBooked)
        project_fact(connection, Place(number, 1, "PAPER"), fact)
        found = connection.execute("SELECT qty, cost, entry_price FROM positions").fetchall()
        if lots:
            cost = money.parse(str(sum(unit * paid for unit, paid in lots)))
            expected = (str(after), money.text(cost), money.text(money.div(cost, money.parse(str(after)))))
            assert found == [expected]
        else:
            assert found == []
    connection.close()
