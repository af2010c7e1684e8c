"""Every criterion of every protocol: it passes on good evidence, and each fails by its own name when spoilt."""

from typing import Any

import msgspec
import pytest

from engine.core import money
from engine.core.times import DAY, MINUTE, SECOND
from engine.review.evidence import Evidence, MarkSeen, RunSeen, TradeSeen
from engine.review.protocol import Verdict, judge, terms_hold, verdict
from engine.review.protocols import FROZEN, GRACEFUL, LITERALS, MEMORY, NOT_LOADED, PROTOCOLS
from tests.review.proving import (
    LEFT,
    RUN,
    SOMETHING,
    T0,
    good,
    run_seen,
    terms,
    with_files,
    with_report,
)


def found(name: str, **changes: Any) -> Verdict:
    return verdict(PROTOCOLS[name], good(name, **changes))


def without(name: str) -> dict[str, Any]:
    """The one run left everything but a file."""
    return with_files("autonomy", runs={RUN: {left: "0" * 64 for left in LEFT if left != name}})


def phrase(said: str, count: int = 1) -> dict[str, Any]:
    return with_files("autonomy", literals={p: count if p == said else int(p == GRACEFUL) for p in LITERALS})


def two_runs(name: str, pause_ns: int, **first: Any) -> dict[str, Any]:
    """The same time in two runs with a pause in the middle."""
    length_ns = PROTOCOLS[name].length_ns
    one = msgspec.structs.replace(run_seen(name), last_ns=T0 + length_ns // 2, **first)
    two = msgspec.structs.replace(run_seen(name), run_id="2", running_ns=T0 + length_ns // 2 + pause_ns)
    return {"runs": (one, two)}


def marks(*equity: int) -> dict[str, Any]:
    return {"marks": [MarkSeen(T0 + n * 60 * MINUTE, e * money.SCALE, e * money.SCALE) for n, e in enumerate(equity)]}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_good_evidence_passes_every_criterion(name: str) -> None:
    told = found(name)
    assert (told.passed, told.failed, told.reliability) == (True, (), "PASS")
    assert {one.state for one in told.criteria} == {"PASS"}
    assert told.real and told.rehearsal == ()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_nothing_seen_is_open_while_it_runs_and_fails_in_the_end(name: str) -> None:
    nothing = Evidence(terms(name), 1, 1)
    assert {one.state for one in judge(PROTOCOLS[name], nothing, final=False)} == {"OPEN"}
    told = verdict(PROTOCOLS[name], nothing)
    assert not told.passed and {one.state for one in told.criteria} == {"NOT_OBSERVED"}


def test_the_lists_are_as_long_as_they_are_said_to_be() -> None:
    groups = [criterion.group for criterion in PROTOCOLS["autonomy"].criteria]
    assert (groups.count("success"), groups.count("failure"), groups.count("rubric")) == (9, 7, 10)
    assert len(PROTOCOLS["audit"].criteria) == 15
    for protocol in PROTOCOLS.values():
        ids = [criterion.id for criterion in protocol.criteria]
        assert len(set(ids)) == len(ids)


ERRORS = SOMETHING * 6
SHORT = {**with_report("autonomy", duration_seconds=599.9)}
AUTONOMY: dict[str, tuple[dict[str, Any], set[str]]] = {
    "full_duration": (SHORT, {"full_duration", "point_1"}),
    "no_crash": (with_report("autonomy", exit_code=1), {"no_crash", "point_2"}),
    "few_errors": ({"errors": ERRORS}, {"few_errors", "many_errors", "point_3"}),
    "heartbeat": (with_report("autonomy", heartbeat={"count": 479, "max_gap_seconds": 2.0}), {"heartbeat"}),
    "state_exported": (without("state.json"), {"state_exported", "point_5"}),
    "final_memory": (with_report("autonomy", rss_mb_last=500.0), {"final_memory"}),
    "graceful": (with_files("autonomy", literals=dict.fromkeys(LITERALS, 0)), {"graceful", "point_6"}),
    "summary": (without("summary.html"), {"summary", "point_8"}),
    "crash": (
        {"runs": (run_seen("autonomy", report=None),)},
        {"crash", "no_crash", "heartbeat", "final_memory", *(f"point_{n}" for n in (2, 4, 7, 9))},
    ),
    "memory_exceeded": (phrase(MEMORY), {"memory_exceeded"}),
    "frozen": (phrase(FROZEN), {"frozen"}),
    "breaker": ({"breakers": SOMETHING}, {"breaker"}),
    "stale": ({"stale": SOMETHING}, {"stale"}),
    "not_loaded": (phrase(NOT_LOADED), {"not_loaded"}),
    "point_7": (with_report("autonomy", rss_mb_peak=500.0), {"point_7"}),
    "point_8": (without("final_report.json"), {"point_8"}),
    "point_9": (with_report("autonomy", net_pnl="1.50000001"), {"point_9"}),
    "point_10": (with_files("autonomy", leaks=("session.log",)), {"point_10"}),
}


@pytest.mark.parametrize("criterion", AUTONOMY)
def test_an_autonomy_run_fails_by_the_name_of_what_is_wrong(criterion: str) -> None:
    changes, failed = AUTONOMY[criterion]
    told = found("autonomy", **changes)
    assert criterion in told.failed and set(told.failed) == failed
    assert (told.passed, told.reliability, told.economics) == (False, "FAIL", "NOT_JUDGED")


def test_every_deciding_criterion_of_autonomy_can_fail() -> None:
    spoilt = {name for _, failed in AUTONOMY.values() for name in failed}
    assert spoilt == {c.id for c in PROTOCOLS["autonomy"].criteria if c.decides}


def test_of_the_ten_points_only_the_fourth_may_be_missing_and_only_alone() -> None:
    late = {"count": 600, "max_gap_seconds": 5.1}
    alone = found("autonomy", **with_report("autonomy", heartbeat=late))
    assert (alone.passed, alone.score) == (True, "9/10")
    both = found("autonomy", **with_report("autonomy", heartbeat=late, rss_mb_peak=500.0))
    assert (both.passed, both.score, set(both.failed)) == (False, "8/10", {"point_4", "point_7"})


def test_a_gap_in_the_data_and_a_single_error_are_told_and_do_not_decide() -> None:
    told = found("autonomy", gaps=SOMETHING, errors=SOMETHING)
    assert told.passed
    assert {one.id for one in told.criteria if one.state == "FAIL"} == {"data_continuity", "TC-01"}


LASTING: dict[str, dict[str, Any]] = {
    "signals_kept": {"unended": SOMETHING},
    "no_open_mismatch": {"mismatches": SOMETHING},
    "unchanged": with_report("72h", program={"fingerprint": "other", "replaced": []}),
    "autonomous": {"acts": SOMETHING},
    "honest": {"runs": (run_seen("72h", differences=("net_pnl: the report says 2",)),)},
    "journal_proven": {"faults": ("row 9 is another",)},
}
THREE_DAYS: dict[str, dict[str, Any]] = LASTING | {
    "whole_time": {"runs": (run_seen("72h", last_ns=T0 + 3 * DAY - 2 * SECOND),)},
    "errors": {"errors": SOMETHING * 16},
    "no_kill": {"kills": SOMETHING},
    "drawdown": marks(*range(10_000, 10_050), 9_000, 9_002, *range(12_000, 12_040)),
    "frequency": {"trades": [TradeSeen(T0, money.SCALE, n) for n in range(9)]},
    "win_rate": {"trades": [TradeSeen(T0, money.SCALE if n < 4 else -1, n) for n in range(11)]},
    "sharpe": marks(*(10_000 - n - n % 2 for n in range(60))),
}
ECONOMICS = {"drawdown", "frequency", "win_rate", "sharpe"}


@pytest.mark.parametrize("criterion", THREE_DAYS)
def test_three_days_fail_by_the_name_of_what_is_wrong_and_each_verdict_by_its_own(criterion: str) -> None:
    told = found("72h", **THREE_DAYS[criterion])
    assert told.failed == (criterion,)
    sides = ("PASS", "FAIL") if criterion in ECONOMICS else ("FAIL", "PASS")
    assert (told.reliability, told.economics) == sides


def test_pauses_are_counted_and_bounded_one_by_one() -> None:
    assert found("72h", **two_runs("72h", 5 * MINUTE)).passed
    assert found("72h", **two_runs("72h", 5 * MINUTE + 1)).failed == ("outages",)
    length = 3 * DAY
    runs = [RunSeen(str(n), n, "h" * 64, T0 + n * DAY // 2, T0 + n * DAY // 2 + DAY // 2 - MINUTE) for n in range(6)]
    last = msgspec.structs.replace(runs[-1], last_ns=T0 + length)
    reports = [msgspec.structs.replace(r, report=run_seen("72h").report) for r in (*runs[:-1], last)]
    assert found("72h", runs=reports).failed == ("outages",)


def test_too_much_time_lost_fails_the_uptime() -> None:
    lost = 3 * DAY // 100
    assert "uptime" not in found("72h", **two_runs("72h", lost)).failed
    assert set(found("72h", **two_runs("72h", lost + MINUTE)).failed) == {"uptime", "outages"}


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({"errors": SOMETHING * 15}, True),
        ({"trades": [TradeSeen(T0, money.SCALE if n < 4 else -1, n) for n in range(10)]}, True),
        ({"trades": [TradeSeen(T0, money.SCALE, n) for n in range(10)]}, True),
        (marks(*range(10_000, 10_050), 9_045, *range(12_000, 12_040)), True),
        ({"runs": (run_seen("72h", last_ns=T0 + 3 * DAY - SECOND),)}, True),
        ({"acts": SOMETHING}, False),
    ],
)
def test_a_value_at_its_limit_passes(changes: dict[str, Any], passes: bool) -> None:
    assert found("72h", **changes).passed is passes


def test_the_drawdown_is_taken_under_the_pessimistic_profile() -> None:
    low = [MarkSeen(T0, 10_000, 10_000), MarkSeen(T0 + 1, 10_100, 8_000)]
    (told,) = [one for one in found("72h", marks=low).criteria if one.id == "drawdown"]
    assert (told.state, told.measured) == ("FAIL", "20.00 %")


@pytest.mark.parametrize("criterion", [*LASTING, "no_error", "no_crash", "whole_time"])
def test_a_week_fails_by_the_name_of_what_is_wrong(criterion: str) -> None:
    own: dict[str, dict[str, Any]] = {
        "no_error": {"errors": SOMETHING},
        "no_crash": two_runs("week", SECOND, report=None),
        "whole_time": {"runs": (run_seen("week", last_ns=T0 + 7 * DAY - 2 * SECOND),)},
        "unchanged": with_report("week", program={"fingerprint": "other", "replaced": []}),
        "honest": {"runs": (run_seen("week", differences=("trades",)),)},
    }
    assert found("week", **own.get(criterion, LASTING.get(criterion, {}))).failed == (criterion,)


DAYS = good("audit").days
AUDIT: dict[str, dict[str, Any]] = {
    "every_day": {"days": [*DAYS[:5], *DAYS[6:]]},
    "no_open_mismatch": {"mismatches": SOMETHING},
    "signals_kept": {"unended": SOMETHING},
    "no_unintended": {"unintended": SOMETHING},
    "heat_kept": {"above_heat": SOMETHING},
    "breakers_respected": {"disobeyed": SOMETHING},
    "no_spikes": {"spikes": SOMETHING},
    "artifacts": with_files("audit", days={}),
    "traceable": {"untraced": SOMETHING},
    "reasons": {"unexplained": SOMETHING},
    "no_parameter_change": two_runs("audit", SECOND, config_hash="another"),
    "no_tuning": with_report("audit", program={"fingerprint": "other", "replaced": []}),
    "no_override": {"acts": SOMETHING},
    "honest": {"runs": (run_seen("audit", differences=("net_pnl",)),)},
    "zero_days": with_files("audit", told={}),
}
UNSTABLE = {"no_open_mismatch", "breakers_respected"}


@pytest.mark.parametrize("criterion", AUDIT)
def test_each_of_the_fifteen_audit_criteria_fails_alone_and_none_leaves_it_sound(criterion: str) -> None:
    told = found("audit", **AUDIT[criterion])
    assert told.failed == (criterion,) and not told.passed
    assert told.exit.startswith("unstable" if criterion in UNSTABLE else "operational issues")


def test_the_audit_has_exactly_these_fifteen() -> None:
    assert set(AUDIT) == {criterion.id for criterion in PROTOCOLS["audit"].criteria}


def test_an_artifact_with_other_bytes_than_were_sealed_is_none() -> None:
    days = dict.fromkeys(good("audit").seals, "0" * 64) | {"2026-01-03": "1" * 64}
    assert found("audit", **with_files("audit", days=days)).failed == ("artifacts",)


def test_an_audit_is_sound_with_all_fifteen_whatever_it_earned() -> None:
    lost = with_report("audit", ending_equity="9000", net_pnl="-1000")
    told = found("audit", **lost)
    assert told.passed and told.exit.startswith("operationally sound") and told.economics == "NOT_JUDGED"


def test_a_crash_makes_a_failed_audit_unstable() -> None:
    told = found("audit", acts=SOMETHING, **two_runs("audit", SECOND, report=None))
    assert told.exit.startswith("unstable")


def test_a_rehearsal_or_an_act_is_never_real() -> None:
    assert not verdict(PROTOCOLS["72h"], good("72h", terms=terms("72h", rehearsal=("a simulated market",)))).real
    assert not found("72h", acts=SOMETHING).real
    assert not found("72h", **with_report("72h", autonomous=False)).real


@pytest.mark.parametrize("broken", [{"net_pnl": '"9000"'}, {"net_pnl": None}])
def test_a_report_that_cannot_be_read_fails_and_stops_nothing(broken: dict[str, Any]) -> None:
    told = found("autonomy", **with_report("autonomy", **broken))
    assert told.failed == ("point_9",)


def test_terms_have_one_digest_and_any_change_is_named() -> None:
    fixed = terms("72h")
    assert fixed.digest == terms("72h").digest != terms("72h", seed=8).digest
    prints = msgspec.structs.replace(fixed.fingerprints, strategy="9" * 64)
    evidence = good("72h")
    assert terms_hold(evidence, fixed) == ()
    assert terms_hold(evidence, terms("72h", fingerprints=prints)) == ("strategy",)
    stricter = msgspec.structs.replace(fixed.thresholds, trades_min=11)
    assert terms_hold(evidence, terms("72h", thresholds=stricter)) == ("criteria",)
    assert terms_hold(evidence, terms("72h", speed="max")) == ("speed",)


def test_a_fingerprint_that_is_not_known_is_drift() -> None:
    prints = terms("72h").fingerprints
    unknown = msgspec.structs.replace(prints, code="")
    assert unknown.drift(unknown) == ("code",)
