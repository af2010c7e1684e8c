"""Whole runs under a volatility index: transitions at their moments, the same again, and what the report says."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from engine.core.config import SECOND, StrategySpec
from engine.core.events import Bar
from engine.core.money import parse
from engine.core.words import Regime
from engine.review.moments import instant
from engine.review.replay import replay
from engine.session.clock import WallClock
from engine.session.plan import Policy
from engine.session.volatility import FileIndex
from store.desk import open_store
from tests.rig import START_NS
from tests.session.deskrig import DeskRig, Eager
from tests.session.toymarket import ToyMarket

LEVELS = {-3600: "17", 200: "25", 300: "19.8", 400: "31", 500: "19"}
"""Seconds after the market begins, and what the index stands at from then on."""


def rig(folder: Path) -> DeskRig:
    folder.mkdir(exist_ok=True)
    path = folder / "vix.csv"
    values = [f"{instant(START_NS + seconds * SECOND)},{level}" for seconds, level in LEVELS.items()]
    path.write_text("\n".join(["timestamp,close", *values]))
    made = DeskRig(folder)
    made.volatility = FileIndex(path)
    return made


def rows(desk: DeskRig, sql: str) -> list[Any]:
    connection = sqlite3.connect(f"file:{desk.home.database}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_each_transition_comes_at_its_moment_and_is_in_table_and_report(tmp_path: Path) -> None:
    desk = rig(tmp_path)
    _, report = desk.run(600)
    changes = rows(desk, "SELECT at_ns, previous, regime, level, heat_limit FROM regime_changes")
    assert [((at - START_NS) // SECOND, *told) for at, *told in changes] == [
        (0, "UNKNOWN", "NORMAL", "17", "0.01"),
        (200, "NORMAL", "ELEVATED", "25", "0.007"),
        (300, "ELEVATED", "ELEVATED", "19.8", "0.007"),
        (400, "ELEVATED", "CRISIS", "31", "0.004"),
        (500, "CRISIS", "NORMAL", "19", "0.01"),
    ]
    conditions = report["conditions"]
    assert [t["regime"] for t in conditions["transitions"]] == ["NORMAL", "ELEVATED", "CRISIS", "NORMAL"]
    assert {t["source"] for t in conditions["transitions"]} == {"file:vix.csv"}
    assert conditions["crossings_within_hysteresis"] == 1
    seconds = {regime: held["seconds"] for regime, held in conditions["regimes"].items()}
    assert seconds.pop("NORMAL") == pytest.approx(300, abs=2)
    assert seconds == {"LOW": 0, "ELEVATED": 200, "CRISIS": 100, "UNKNOWN": 0}
    assert "Regime transitions" in desk.session.plan.folder.summary.read_text()


def test_the_shares_of_the_report_are_those_of_the_rows(tmp_path: Path) -> None:
    desk = rig(tmp_path)
    _, report = desk.run(600)
    ((start, end),) = rows(
        desk,
        "SELECT (SELECT at_ns FROM phase_changes WHERE phase = 'RUNNING'), "
        "(SELECT at_ns FROM phase_changes WHERE phase = 'COMPLETED')",
    )
    changes = rows(desk, "SELECT at_ns, regime FROM regime_changes ORDER BY row")
    held: dict[str, int] = {}
    for (at, regime), until in zip(changes, [at for at, _ in changes[1:]] + [end], strict=True):
        held[regime] = held.get(regime, 0) + max(until, start) - max(at, start)
    told = {regime: parse(part["share"]) for regime, part in report["conditions"]["regimes"].items()}
    for regime, ns in held.items():
        assert abs(told[regime] - ns * parse("1") // (end - start)) <= 1
    assert abs(sum(told.values()) - parse("1")) <= len(told)


def test_every_signal_trade_and_mark_is_tagged(tmp_path: Path) -> None:
    desk = rig(tmp_path)
    desk.run(600)
    known = {regime.value for regime in Regime if regime is not Regime.UNKNOWN}
    assert {regime for (regime,) in rows(desk, "SELECT regime FROM signals")} <= known
    assert {regime for (regime,) in rows(desk, "SELECT regime FROM trades")} <= known
    assert rows(desk, "SELECT count(*) FROM signals WHERE phase = ''") == [(0,)]
    first, *others = rows(desk, "SELECT regime, volatility, phases FROM equity_marks ORDER BY row")
    assert first == ("UNKNOWN", "0", "UNKNOWN:BTCUSDT,ETHUSDT")
    assert {regime for regime, _, _ in others} == {"NORMAL", "ELEVATED", "CRISIS"}
    assert {volatility for _, volatility, _ in others} == set(LEVELS.values())


def test_the_same_index_gives_the_same_decisions_and_the_run_replays(tmp_path: Path) -> None:
    first, second = rig(tmp_path / "a"), rig(tmp_path / "b")
    _, report = first.run(600)
    assert report["decision_hash"] == second.run(600)[1]["decision_hash"]
    store = open_store(first.home.database, "paper", WallClock())
    try:
        start, inputs = store.run_inputs(report["run_id"])
        assert start is not None
        outcome = replay(lambda core: (Eager(first.symbols),), start.state, inputs, store.run_facts(report["run_id"]))
    finally:
        store.close()
    assert outcome.difference is None
    assert outcome.decision_hash == report["decision_hash"]


def test_a_strategy_enters_nothing_in_a_regime_that_is_not_its_own(tmp_path: Path) -> None:
    desk = rig(tmp_path)
    spec = StrategySpec("eager", "eager", {}, desk.symbols, (Regime.NORMAL,))
    _, report = desk.run(600, strategies=(spec,))
    ended = rows(
        desk,
        "SELECT s.regime, o.state, o.reason_code FROM signals s JOIN outcomes o ON o.signal_id = s.signal_id "
        "WHERE o.state = 'EXECUTED' OR o.reason_code = 'strategy_disabled'",
    )
    assert {regime for regime, state, _ in ended if state == "EXECUTED"} == {"NORMAL"}
    assert {regime for regime, _, code in ended if code == "strategy_disabled"} == {"ELEVATED"}
    assert rows(desk, "SELECT strategy_id, enabled, regime FROM strategy_switches") == [
        ("eager", 0, "UNKNOWN"),
        ("eager", 1, "NORMAL"),
        ("eager", 0, "ELEVATED"),
        ("eager", 1, "NORMAL"),
    ]
    (told,) = report["strategies"]
    assert (told["regimes"], told["weight"], told["switches"]) == (["NORMAL"], "1", 4)


def test_the_regime_goes_on_over_a_restart(tmp_path: Path) -> None:
    desk = rig(tmp_path)
    desk.run(430)
    _, report = desk.run(10)
    assert report["conditions"]["transitions"] == []
    assert report["conditions"]["regimes"]["CRISIS"]["share"] == "1"


def test_without_an_index_the_run_goes_on_under_the_strictest_limit(tmp_path: Path) -> None:
    desk = DeskRig(tmp_path)
    code, report = desk.run(300)
    assert (code, report["status"]) == (0, "success")
    assert report["conditions"]["regimes"]["UNKNOWN"]["share"] == "1"
    view = desk.session.view()
    assert view is not None
    assert (view.regime.regime, view.heat_limit) == (Regime.UNKNOWN, parse("0.004"))
    assert "ALERT volatility regime unknown" in desk.home.system_log.read_text()


class Young(ToyMarket):
    """A market without any history."""

    def history(self, symbol: str, span_ns: int, end_ns: int, count: int) -> list[Bar]:
        return []


def test_a_run_without_a_known_phase_has_its_report_and_its_reasons(tmp_path: Path) -> None:
    desk = DeskRig(tmp_path)
    young = Young(desk.symbols, 600, desk.begins_ns)
    policy = Policy(duration_ns=300 * SECOND, min_history=0)
    code, report = desk.run(300, source=young, policy=policy)
    assert (code, report["status"], report["trades"]) == (0, "success", 0)
    assert report["conditions"]["market_phases"]["UNKNOWN"]["share"] == "1"
    assert rows(desk, "SELECT DISTINCT reason_code FROM outcomes") == [("phase_unknown",)]
    assert rows(desk, "SELECT active FROM block_changes WHERE reason = 'phase_unknown'") == [(1,)]


def test_every_closed_bar_with_an_open_position_has_its_decision(tmp_path: Path) -> None:
    desk = rig(tmp_path)
    desk.run(900)
    ((held, bars),) = rows(
        desk, "SELECT count(*), count(DISTINCT symbol || at_ns) FROM decisions WHERE decision = 'hold'"
    )
    assert held == bars > 0
    entered = rows(desk, "SELECT count(*) FROM decisions WHERE decision = 'entry'")
    assert entered == rows(desk, "SELECT count(*) FROM signals")
