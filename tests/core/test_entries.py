"""A signal's way through the safety layers: what is recorded of it, and that it ends exactly once."""

from engine.core.events import Act
from engine.core.facts import OrderChanged, SignalEnded, SignalJudged, SignalRaised
from engine.core.risk import RULES
from tests.rig import Rig


def test_every_signal_is_judged_between_being_raised_and_its_order() -> None:
    rig = Rig()
    out = rig.propose()
    kinds = [type(fact) for fact in out if isinstance(fact, SignalRaised | SignalJudged | SignalEnded | OrderChanged)]
    assert kinds == [SignalRaised, SignalJudged, OrderChanged]
    (judged,), (raised,) = rig.of(SignalJudged), rig.of(SignalRaised)
    assert judged.signal_id == raised.signal_id
    assert [check.rule for check in judged.checks] == [rule.name for rule in RULES]
    assert all(check.ok for check in judged.checks)


def test_a_refused_signal_is_judged_up_to_the_rule_that_refused() -> None:
    rig = Rig()
    rig.command(Act.PAUSE, "lunch")
    out = rig.propose()
    kinds = [type(fact) for fact in out if isinstance(fact, SignalRaised | SignalJudged | SignalEnded | OrderChanged)]
    assert kinds == [SignalRaised, SignalJudged, SignalEnded]
    (judged,), (ended,) = rig.of(SignalJudged), rig.of(SignalEnded)
    assert [check.rule for check in judged.checks] == ["kill", "breaker", "block"]
    assert not judged.checks[-1].ok
    assert (judged.checks[-1].value, judged.checks[-1].limit) == (ended.value, ended.limit)
