"""A strategy that changes the interpreter under the desk: told, shown, and no figure is another one for it."""

import decimal
import faulthandler
import locale
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.config import SECOND
from engine.core.events import Quote
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import AlertKind
from engine.review.returns import daily_returns, sharpe
from engine.session.interpreter import Settings, settings
from engine.session.session import Session
from engine.session.status import status_json
from engine.venues.bitunix.wire import _rounded
from tests.rig import d
from tests.session.deskrig import DeskRig, Eager
from tests.session.test_alerts_run import LONG, told
from tests.session.test_watching import Slow, until


def hostile() -> None:
    """All that a strategy could think of, as often as it likes."""
    context = decimal.getcontext()
    context.prec, context.rounding, context.traps[decimal.InvalidOperation] = 2, decimal.ROUND_UP, False
    sys.setrecursionlimit(900)
    sys.set_int_max_str_digits(700)
    sys.setswitchinterval(0.02)
    os.environ["TZ"] = "Pacific/Chatham"
    time.tzset()
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@pytest.fixture
def put_back() -> Iterator[None]:
    """The settings the other tests are used to."""
    before = (
        sys.getrecursionlimit(),
        sys.get_int_max_str_digits(),
        sys.getswitchinterval(),
        os.environ.get("TZ"),
        locale.setlocale(locale.LC_ALL),
        signal.getsignal(signal.SIGHUP),
    )
    with decimal.localcontext():
        yield
    sys.setrecursionlimit(before[0])
    sys.set_int_max_str_digits(before[1])
    sys.setswitchinterval(before[2])
    os.environ.pop("TZ", None)
    if before[3] is not None:
        os.environ["TZ"] = before[3]
    time.tzset()
    locale.setlocale(locale.LC_ALL, before[4])
    signal.signal(signal.SIGHUP, before[5])


@pytest.mark.usefixtures("put_back")
def test_every_change_is_told_once_with_both_values() -> None:
    """FP-29."""
    locale.setlocale(locale.LC_ALL, "C")
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored already
    known = Settings()
    assert known.changed() == []
    hostile()
    told = known.changed()
    for name in ("recursion limit", "integer's digits", "switch interval", "decimal context", "time zone", "locale"):
        assert any(name in text for text in told), name
    assert any("handler of SIGHUP" in text for text in told)
    assert "the interpreter's recursion limit was changed from" in told[0] and told[0].endswith(" to 900")
    assert known.changed() == []


class Hostile(Eager):
    """Proposes what `Eager` does, and meddles before it."""

    def on_quote(self, quote: Quote, market: Market) -> tuple[Proposal | ExitWish, ...]:
        hostile()
        return super().on_quote(quote, market)


@pytest.mark.usefixtures("put_back")
def test_a_strategy_that_meddles_with_the_interpreter_changes_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FP-29: not of a run, not of the report, not of what the venue says."""
    equity = [d(price) for price in ("100", "101", "100.5", "102", "103", "102.2", "104")]
    ratio = sharpe(daily_returns(equity), 365)
    _, plain = DeskRig(tmp_path / "plain").run(400)
    monkeypatch.setattr("tests.session.deskrig.Eager", Hostile)
    _, meddled = DeskRig(tmp_path / "meddled").run(400)
    assert settings()["recursion limit"] == "900"
    for figure in ("decision_hash", "net_pnl", "fees_total", "ending_equity", "trades", "signals"):
        assert meddled[figure] == plain[figure], figure
    assert plain["trades"] > 0
    hostile()
    assert sharpe(daily_returns(equity), 365) == ratio
    assert _rounded("12345.678901234") == d("12345.67890123")


@pytest.mark.usefixtures("put_back")
def test_a_running_desk_tells_what_was_changed_and_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FP-29."""
    monkeypatch.setattr("tests.session.deskrig.Eager", Hostile)
    monkeypatch.setattr("engine.session.watching.RESOURCE_CHECK_PROBES", 1)
    monkeypatch.setattr("engine.session.watching.BEAT_NS", SECOND // 20)
    rig = DeskRig(tmp_path)

    def seen(session: Session) -> bool:
        view = session.view()
        return view is not None and any("recursion limit" in text for text in status_json(view)["warnings"])

    rig.run(LONG, source=Slow(rig), meddle=lambda session: until(session, seen))
    assert any(kind is AlertKind.CHANGED and "recursion limit" in text for kind, text in told(rig))


def test_what_the_desk_itself_sets_is_no_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its guard has the stacks of a crash written, which a process without pytest has not done before."""
    faulthandler.disable()
    monkeypatch.setattr("engine.session.watching.RESOURCE_CHECK_PROBES", 1)
    rig = DeskRig(tmp_path)
    _, report = rig.run(LONG, source=Slow(rig), meddle=lambda session: until(session, _looked))
    assert [error for error in report["errors"] if "stacks" in error["example"]] == []


def _looked(session: Session) -> bool:
    """Whether the desk has looked at itself three times."""
    return session._shell is not None and session._shell.loop_lag_us.count > 3
