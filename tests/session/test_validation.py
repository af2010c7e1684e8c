"""A protocol around its runs: how it stands at a moment, and what its runs left in their folders."""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.times import DAY, HOUR, MINUTE
from engine.review.evidence import DaySeen
from engine.review.moments import date_text, instant
from engine.review.protocols import GRACEFUL, MEMORY, PROTOCOLS
from engine.session.config import load
from engine.session.home import Home
from engine.session.scrub import Scrubber
from engine.session.validation import at_moment, files_left, fingerprints, protocol_view, source_of
from tests.review.proving import RUN, T0, good, run_seen, terms

SECRET = "a-secret-of-the-venue"


def test_a_protocol_of_hours_counts_its_days_by_the_clock() -> None:
    begun = good("72h", runs=(run_seen("72h", last_ns=T0 + HOUR, report=None),), files=None)
    view = protocol_view(PROTOCOLS["72h"], begun)
    assert (view.name, view.started_ns, view.elapsed_ns, view.of_ns) == ("72h", T0, HOUR, 3 * DAY)
    assert (view.day, view.days, view.outages) == (1, 3, 0)
    later = at_moment(view, T0 + DAY)
    assert (later.elapsed_ns, later.day) == (DAY, 2)
    over = at_moment(view, T0 + 9 * DAY)
    assert (over.elapsed_ns, over.day) == (3 * DAY, 3)
    assert at_moment(later, T0) == later, "never younger than it was seen"


def test_its_criteria_are_open_until_they_can_be_told() -> None:
    view = protocol_view(PROTOCOLS["72h"], good("72h", runs=(), files=None, faults=None, trades=(), marks=()))
    assert {one.state for one in view.criteria} <= {"OPEN", "PASS"} and view.started_ns == 0
    assert at_moment(view, T0) == view


@pytest.mark.parametrize(("seen", "day"), [((), 1), ((0,), 1), ((0, 1, 2), 3), (tuple(range(17)), 16)])
def test_an_audit_counts_the_trading_days_that_came(seen: tuple[int, ...], day: int) -> None:
    first = T0 // DAY
    fixed = terms("audit", length_ns=16 * DAY + MINUTE)
    lived = good("audit", terms=fixed, days=[DaySeen(first + n, 1, 0, 0) for n in seen], files=None)
    view = protocol_view(PROTOCOLS["audit"], lived)
    assert (view.day, view.days) == (day, 16)
    assert at_moment(view, T0 + 5 * DAY).day == day


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home.at(tmp_path, "paper")
    made.create()
    folder = made.run(RUN)
    folder.path.mkdir()
    folder.final_report.write_text("{}")
    folder.summary.write_text("<html>")
    (folder.path / "half-written.tmp").write_text("x")
    return made


def logged(home: Home, at_ns: int, text: str, name: str = "system.jsonl") -> None:
    line = json.dumps({"timestamp": instant(at_ns), "message": text})
    with (home.logs / name).open("a") as file:
        file.write(line + "\n")


def left(home: Home) -> Any:
    return files_left(home, good("72h"), Scrubber([SECRET]))


def test_every_file_of_a_run_is_hashed_and_what_is_half_written_is_not(home: Home) -> None:
    files = left(home)
    assert set(files.runs[RUN]) == {"final_report.json", "summary.html"}
    assert files.runs[RUN]["final_report.json"] == hashlib.sha256(b"{}").hexdigest()
    assert files.leaks == ()


def test_a_run_without_a_folder_left_nothing(tmp_path: Path) -> None:
    assert left(Home.at(tmp_path, "paper")).runs == {RUN: {}}


def test_phrases_are_counted_in_all_parts_of_the_log_from_the_start_on(home: Home) -> None:
    logged(home, T0 - 1_000, MEMORY)
    logged(home, T0 + 1_000, f"{GRACEFUL}: stop", "system.jsonl.1")
    logged(home, T0 + 2_000, f"{GRACEFUL}: stop")
    files = left(home)
    assert (files.literals[GRACEFUL], files.literals[MEMORY]) == (2, 0)


@pytest.mark.parametrize("place", ["session.log", "final_report.json", "log"])
def test_a_secret_is_found_wherever_it_stands(home: Home, place: str) -> None:
    if place == "log":
        logged(home, T0 + 1_000, f"key={SECRET}")
    else:
        (home.run(RUN).path / place).write_text(f"ok\nkey={SECRET}\n")
    assert left(home).leaks == (("system.jsonl",) if place == "log" else (f"{RUN}/{place}",))


@pytest.mark.parametrize(
    ("artifact", "told"),
    [
        ({"zero_trade_day": {"reason": "No signals generated"}}, True),
        ({"zero_trade_day": None, "trades": {"fills": 2}}, True),
        ({"zero_trade_day": None, "trades": {"fills": 0}}, False),
        ({}, False),
    ],
)
def test_a_daily_artifact_tells_why_there_was_no_trade_or_it_does_not(
    home: Home, artifact: dict[str, Any], told: bool
) -> None:
    name = date_text(T0 // DAY) or ""
    text = json.dumps(artifact)
    (home.artifacts / f"{name}.json").write_text(text)
    (home.artifacts / "2026-W01.json").write_text("{}")
    files = left(home)
    assert files.told == {name: told} and files.days == {name: hashlib.sha256(text.encode()).hexdigest()}


def test_fingerprints_change_with_what_they_stand_for_and_with_nothing_else(tmp_path: Path) -> None:
    nowhere = tmp_path / "none"
    config = load("paper", variables={}, dotenv=nowhere)
    first = fingerprints(config, "program", source_of(config))
    assert first == fingerprints(config, "program", source_of(config))
    assert fingerprints(config, "another", source_of(config)).drift(first) == ("code",)
    for variable, value, changed in [
        ("NIGHTDESK_SEED", "9", ("data",)),
        ("NIGHTDESK_RISK_POSITIONS_MAX", "2", ("configuration",)),
        ("NIGHTDESK_MEMORY_MAX_MB", "900", ()),
    ]:
        other = load("paper", variables={variable: value}, dotenv=nowhere)
        assert fingerprints(other, "program", source_of(other)).drift(first) == changed, variable


def test_the_same_rules_in_both_trees_are_the_same_configuration(tmp_path: Path) -> None:
    nowhere = tmp_path / "none"
    same = {"NIGHTDESK_SYMBOLS": "BTCUSDT"}
    paper, live = (load(env, variables=same, dotenv=nowhere) for env in ("paper", "live"))
    assert paper.content_hash != live.content_hash and paper.rules_hash == live.rules_hash
    assert paper.rules_hash != load("paper", variables={}, dotenv=nowhere).rules_hash


def test_data_is_known_by_its_contents(tmp_path: Path) -> None:
    config = load("paper", variables={}, dotenv=tmp_path / "none")
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars" / "a.csv").write_text("1")
    first = source_of(config, [tmp_path / "bars"])
    assert first == source_of(config, [tmp_path / "bars" / "a.csv"])
    (tmp_path / "bars" / "a.csv").write_text("2")
    assert source_of(config, [tmp_path / "bars"]) != first
    assert msgspec.structs.asdict(fingerprints(config, "p", first)).keys() >= {"data"}
