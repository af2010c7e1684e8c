"""What would be refused now: told without anything being raised, counted, sent or remembered."""

from typing import Any

import pytest

from engine.core.events import Act
from engine.core.risk import RULES
from engine.session.probing import EVERY_NS, Probing
from tests.rig import Rig


def ready() -> Rig:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    for symbol in ("BTCUSDT", "ETHUSDT"):
        rig.quote("100", "100.2", symbol=symbol)
    return rig


def test_every_symbol_and_side_is_judged_and_one_of_them_by_every_rule() -> None:
    rig, probing = ready(), Probing()
    probing.ask(rig.engine, 0)
    assert {probe.symbol for probe in probing.probes} == set(rig.engine.desk.instruments)
    assert len(probing.probes) == 2 * len(rig.engine.desk.instruments)
    assert probing.probed is not None
    assert [name for name, *_ in probing.probed.checks] == [rule.name for rule in RULES]


def test_it_agrees_with_the_safety_layers_and_sees_a_pause_at_once() -> None:
    rig, probing = ready(), Probing()
    probing.ask(rig.engine, 0)
    assert not probing.probes[0].rule
    rig.command(Act.PAUSE)
    probing.ask(rig.engine, EVERY_NS - 1)
    assert not probing.probes[0].rule, "once a second is enough"
    probing.ask(rig.engine, EVERY_NS)
    assert {probe.rule for probe in probing.probes} == {"block"}


def test_nothing_of_the_desk_changes_by_being_asked() -> None:
    rig, probing = ready(), Probing()
    before = rig.engine.snapshot()
    for at in range(5):
        probing.ask(rig.engine, at * EVERY_NS)
    assert rig.engine.snapshot() == before


def test_each_entry_has_its_turn() -> None:
    rig, probing = ready(), Probing()
    seen = []
    for at in range(2 * len(rig.engine.desk.instruments)):
        probing.ask(rig.engine, at * EVERY_NS)
        assert probing.probed is not None
        seen.append((probing.probed.symbol, probing.probed.side))
    assert len(set(seen)) == len(seen)


def test_a_bug_in_a_rule_does_not_end_the_desk_for_being_looked_at(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Any) -> None:
        raise ZeroDivisionError("of a rule")

    rig, probing = ready(), Probing()
    monkeypatch.setattr("engine.session.probing.judge", broken)
    probing.ask(rig.engine, 0)
    assert (probing.probes, probing.probed) == ((), None)
    assert "cannot be told: ZeroDivisionError: of a rule" in caplog.text
