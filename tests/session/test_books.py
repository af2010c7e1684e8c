"""The books of whole runs, computed again from nothing but the tables: profit, ledger, trades, marks, slippage."""

import json
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.core import money
from engine.core.config import MINUTE, SECOND
from engine.core.ledger import Ledger
from engine.session.plan import Policy
from tests.rig import d
from tests.session.deskrig import DeskRig

parse = money.parse


def rows(rig: DeskRig, sql: str) -> list[Any]:
    connection = sqlite3.connect(rig.home.database)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[DeskRig, list[dict[str, Any]]]:
    """Two runs on the same books, the first of which keeps its positions."""
    rig = DeskRig(tmp_path_factory.mktemp("desk"))
    keep = Policy(duration_ns=390 * SECOND, keep_positions=True)
    _, first = rig.run(390, policy=keep)
    _, second = rig.run(1_200)
    return rig, [first, second]


def test_net_profit_is_what_the_rows_say_whatever_was_open_when_the_run_began_or_ended(
    kept: tuple[DeskRig, list[dict[str, Any]]],
) -> None:
    rig, reports = kept
    assert reports[0]["positions_open"] and not reports[1]["positions_open"]
    for run, report in enumerate(reports, start=1):
        marks = rows(rig, f"SELECT equity, unrealized FROM equity_marks WHERE run = {run} ORDER BY row")
        fills = rows(rig, f"SELECT realized, fee FROM fills WHERE run = {run}")
        funding = sum(parse(amount) for (amount,) in rows(rig, f"SELECT amount FROM funding WHERE run = {run}"))
        starting, ending = parse(marks[0][0]), parse(marks[-1][0])
        net = sum(parse(realized) - parse(fee) for realized, fee in fills) - funding
        net += parse(marks[-1][1]) - parse(marks[0][1])
        assert ending - starting == net
        assert report["net_pnl"] == money.text(net)
        assert report["identity"]["holds"] and report["problems"] == []


def test_the_ledger_of_the_report_is_that_of_the_raw_fills(kept: tuple[DeskRig, list[dict[str, Any]]]) -> None:
    rig, reports = kept
    ledger = Ledger()
    ledger.deposit(d(10_000))
    steps = rows(
        rig, "SELECT row, symbol, qty, price, fee FROM fills UNION ALL SELECT row, '', amount, '', '' FROM funding"
    )
    for _, symbol, qty, price, fee in sorted(steps):
        if symbol:
            ledger.fill(symbol, parse(qty), parse(price), parse(fee))
        else:
            ledger.pay_funding(parse(qty))
    told = reports[1]["ledger"]
    assert told["accounts"] == {account: money.text(amount) for account, amount in ledger.accounts.items()}
    assert (told["sum"], told["difference"], told["equity"]) == ("0", None, reports[1]["ending_equity"])


def test_a_position_kept_over_a_restart_keeps_the_bracket_it_had(kept: tuple[DeskRig, list[dict[str, Any]]]) -> None:
    rig, reports = kept
    held = {position["symbol"] for position in reports[0]["positions_open"]}
    legs = rows(rig, "SELECT symbol, kind, state, run FROM orders WHERE reduce_only AND kind IN ('STOP', 'LIMIT')")
    left = {symbol for symbol, _, _, run in legs if run == 1}
    assert held <= left
    assert not rows(rig, "SELECT * FROM orders WHERE state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'EXPIRED')")


def test_every_trade_says_what_when_at_which_price_and_why(kept: tuple[DeskRig, list[dict[str, Any]]]) -> None:
    rig, _ = kept
    trades = rows(
        rig,
        "SELECT strategy_id, side, qty, entry_price, exit_price, entry_ns, exit_ns, duration_ns, pnl, fees, funding, "
        "exit_reason FROM trades",
    )
    assert trades
    for name, side, qty, entry, exit_price, entry_ns, exit_ns, duration_ns, pnl, fees, funding, reason in trades:
        assert (name, side) == ("eager", "LONG") and reason in ("SL", "TP", "SHUTDOWN", "LOSS_LIMIT")
        assert duration_ns == exit_ns - entry_ns > 0
        made = money.mul(parse(exit_price) - parse(entry), parse(qty)) - parse(fees) - parse(funding)
        assert abs(made - parse(pnl)) <= 2 * parse(qty) // money.SCALE + 2, "prices are rounded averages"


def test_every_fill_says_how_long_it_took_and_what_it_cost_beyond_the_price_decided_on(
    kept: tuple[DeskRig, list[dict[str, Any]]],
) -> None:
    rig, reports = kept
    fills = rows(rig, "SELECT run, qty, price, expected, slippage, order_to_fill_ns FROM fills")
    slips: list[int] = []
    for run, qty, price, expected, slippage, order_to_fill_ns in fills:
        assert order_to_fill_ns > 0
        worse = (parse(price) - parse(expected)) * (1 if parse(qty) > 0 else -1)
        assert parse(slippage) == money.div(worse, parse(expected))
        if run == 2:
            slips.append(parse(slippage))
    told = reports[1]["slippage"]
    assert told["fills"] == len(slips)
    assert told["worst"] == money.text(max(slips))
    assert told["p95"] == money.text(sorted(slips)[-(-len(slips) * 95 // 100) - 1])


def test_the_reject_rate_of_the_report_is_that_of_the_rows(kept: tuple[DeskRig, list[dict[str, Any]]]) -> None:
    rig, reports = kept
    ((sent, refused),) = rows(rig, "SELECT count(*), sum(state = 'REJECTED') FROM orders WHERE run = 2")
    assert reports[1]["reject_rate"] == money.text(money.div(refused, sent))
    ((both, refused_on_both),) = rows(rig, "SELECT count(*), sum(state = 'REJECTED') FROM orders")
    (today,) = reports[1]["orders_by_day"]
    assert (today["day"], today["sent"], today["rejected"]) == ("2026-01-01", both, refused_on_both)
    assert reports[1]["stuck_orders"] == 0


def test_an_hour_of_trading_has_a_mark_a_minute_and_one_after_each_trade(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    _, report = rig.run(3_600)
    marks = [at for (at,) in rows(rig, "SELECT at_ns FROM equity_marks ORDER BY row")]
    exits = [at for (at,) in rows(rig, "SELECT exit_ns FROM trades")]
    assert report["trades"] == len(exits) > 3
    assert set(exits) <= set(marks)
    assert max(after - before for before, after in pairwise(marks)) <= MINUTE + SECOND
    assert 60 - 1 <= len(marks) <= 60 + len(exits) + 2


def test_kept_positions_and_their_orders_are_in_the_state_that_is_left_behind(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.run(390, policy=Policy(duration_ns=390 * SECOND, keep_positions=True))
    state = json.loads(rig.session.plan.folder.state.read_text())
    protected = {order["symbol"] for order in state["orders"] if order["purpose"] == "STOP" and order["stop_price"]}
    assert {position["symbol"] for position in state["positions"]} == protected != set()
