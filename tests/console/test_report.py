"""The commands that look back: a run told again from the record, a day held against its seal, two runs side by side."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from console.exits import Exit
from engine.core import money
from engine.core.config import DAY, MINUTE
from tests.console.conftest import Nightdesk
from tests.rig import START_NS
from tests.session.deskrig import DeskRig

FILES = ("summary.html", "report.md", "report.json")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> DeskRig:
    """Two runs of the toy market; the first over a midnight."""
    rig = DeskRig(tmp_path_factory.mktemp("desk"))
    rig.begins_ns = START_NS + DAY - 4 * MINUTE
    assert rig.run(420)[0] == 0
    assert rig.run(400)[0] == 0
    return rig


@pytest.fixture
def at(nightdesk: Nightdesk, desk: DeskRig, tmp_path: Path) -> Nightdesk:
    """Commands on the home of that desk."""
    (tmp_path / "paper").symlink_to(desk.home.dir)
    return nightdesk


def run_ids(desk: DeskRig) -> list[str]:
    return sorted(path.name for path in desk.home.runs.iterdir() if path.is_dir() and not path.is_symlink())


def answered(told: tuple[int, str, str]) -> dict[str, Any]:
    code, out, err = told
    assert code == Exit.DONE, err
    answer: dict[str, Any] = json.loads(out)
    return answer


def test_a_run_told_again_is_told_as_it_was_at_its_end(at: Nightdesk, desk: DeskRig) -> None:
    for run_id in run_ids(desk):
        folder = desk.home.run(run_id).path
        before = {name: (folder / name).read_bytes() for name in FILES}
        for name in FILES:
            (folder / name).unlink()
        answer = answered(at("report", run_id, "--json"))
        assert {name: (folder / name).read_bytes() for name in FILES} == before
        assert answer == json.loads(before["report.json"])


def test_the_text_has_its_seven_parts_and_both_verdicts(at: Nightdesk) -> None:
    code, out, _ = at("report")
    assert code == Exit.DONE
    heads = [line.removeprefix("## ") for line in out.splitlines() if line.startswith("## ")]
    assert heads == [
        *("Timeline summary", "Daily trade counts", "Regime distribution", "P&L summary"),
        *("Risk events", "Operational issues", "Honest assessment"),
    ]
    assert "Reliability of the desk: pass" in out and "Economics of the strategy: unknown" in out
    assert "Advisory" in out and "What it is | a simulated market" in out


def test_figures_of_the_text_are_those_of_the_database(at: Nightdesk, desk: DeskRig) -> None:
    answer = answered(at("report", "latest", "--json"))
    with closing(sqlite3.connect(desk.home.database)) as db:
        (run,) = db.execute("SELECT max(run) FROM runs").fetchone()
        results = [money.parse(pnl) for (pnl,) in db.execute("SELECT pnl FROM trades WHERE run = ?", (run,))]
        fills = db.execute("SELECT qty, price FROM fills WHERE run = ?", (run,)).fetchall()
    trades = answer["performance"]["trades"]
    assert trades["trades"] == len(results) > 0 and trades["net_profit"] == money.text(sum(results))
    assert trades["wins"] == sum(result > 0 for result in results)
    traded = sum(money.mul(abs(money.parse(qty)), money.parse(price)) for qty, price in fills)
    assert answer["performance"]["holding"]["traded"] == money.text(traded)
    for found in answer["breakdowns"].values():
        assert found["conserved"] and sum(money.parse(one["pnl"]) for one in found["slices"]) == sum(results)


def test_two_runs_are_set_side_by_side_with_their_differences(at: Nightdesk, desk: DeskRig) -> None:
    first, second = run_ids(desk)
    answer = answered(at("report", "--compare", first, "latest", "--json"))
    assert answer["runs"] == [first, second] and not answer["same_decisions"]
    rows = {row["figure"]: row for row in answer["figures"]}
    net = rows["net_pnl"]
    assert money.parse(net["second"]) - money.parse(net["first"]) == money.parse(net["difference"])
    same = answered(at("report", "--compare", first, first, "--json"))
    assert same["same_decisions"] and same["parted"] == [] and same["trades_alike"] > 0
    assert {row["difference"] for row in same["figures"]} <= {"0", None}
    code, out, _ = at("report", "--compare", first, second)
    assert code == Exit.DONE and "decisions: not the same" in out and "net_pnl" in out


def test_a_report_of_any_desk_can_be_the_baseline(at: Nightdesk, desk: DeskRig, tmp_path: Path) -> None:
    first, second = run_ids(desk)
    baseline = tmp_path / "cwd" / "baseline.json"
    baseline.write_bytes(desk.home.run(first).review.read_bytes())
    answer = answered(at("report", "--compare", "baseline.json", second, "--json"))
    direct = answered(at("report", "--compare", first, second, "--json"))
    assert answer["figures"] == direct["figures"] and answer["trades_alike"] is None and answer["parted"] == []
    baseline.write_text("{}")
    code, _, err = at("report", "--compare", "baseline.json", second)
    assert code == Exit.USAGE and "no report.json" in err
    assert at("report", "--compare", "gone.json", second)[0] == Exit.USAGE


def test_a_day_is_held_against_its_file_and_its_seal(at: Nightdesk, desk: DeskRig) -> None:
    file = desk.home.artifacts / "2026-01-01.json"
    told = file.read_bytes()
    assert at("report", "2026-01-01")[1].encode() == told
    answer = answered(at("report", "2026-01-01", "--verify", "--json"))
    assert answer["same"] and answer["sealed"] and answer["state"] == "over"
    on = answered(at("report", "2026-01-02", "--verify", "--json"))
    assert on["sealed"] is None and on["state"] == "open" and not on["same"] and not on["difference"]
    try:
        file.write_bytes(told.replace(b'"wins": ', b'"wins": 1'))
        code, out, _ = at("report", "2026-01-01", "--verify")
        assert code == Exit.FAILED_CHECK and "not the one that was sealed" in out
        file.unlink()
        assert "there is no file" in at("report", "2026-01-01", "--verify")[1]
    finally:
        file.write_bytes(told)


def test_several_days_are_told_as_one_whatever_runs_they_were_lived_in(at: Nightdesk, desk: DeskRig) -> None:
    whole = answered(at("report", "--since", "2026-01-01", "--json"))
    assert whole["runs"] == run_ids(desk) and [day["day"] for day in whole["days"]] == ["2026-01-01", "2026-01-02"]
    assert whole["reliability"] == {"verdict": "pass", "against": []}
    with closing(sqlite3.connect(desk.home.database)) as db:
        results = [money.parse(pnl) for (pnl,) in db.execute("SELECT pnl FROM trades")]
    assert whole["performance"]["trades"]["trades"] == len(results) == sum(day["trades"] for day in whole["days"])
    assert whole["performance"]["trades"]["net_profit"] == money.text(sum(results))
    second = answered(at("report", "--since", "2026-01-02", "--until", "2026-01-02", "--json"))
    assert len(second["days"]) == 1 and money.parse(second["performance"]["running"]["uptime"]) > 0
    text = (desk.home.artifacts / "2026-01-01_2026-01-02.md").read_text()
    assert text.count("\n## ") == 7 and "Reliability of the desk: pass" in text and "Days without trades" in text


def test_a_day_that_is_not_what_was_sealed_speaks_against_the_desk(at: Nightdesk, desk: DeskRig) -> None:
    file = desk.home.artifacts / "2026-01-01.json"
    told = file.read_bytes()
    try:
        file.write_bytes(b"{}")
        answer = answered(at("report", "--until", "2026-01-01", "--json"))
    finally:
        file.write_bytes(told)
    assert answer["reliability"] == {
        "verdict": "fail",
        "against": ["2026-01-01: the file is not the one that was sealed"],
    }


def test_the_analysis_takes_all_runs_or_those_that_are_named_or_a_span(at: Nightdesk, desk: DeskRig) -> None:
    first, second = run_ids(desk)
    whole = answered(at("analyze", "--json"))
    parts = [answered(at("analyze", run_id, "--json")) for run_id in (first, second)]
    assert whole["runs"] == [first, second]
    counts = [one["performance"]["trades"]["trades"] for one in (whole, *parts)]
    assert counts[0] == counts[1] + counts[2] > 0
    until = answered(at("analyze", "--until", "2026-01-02", "--json"))
    since = answered(at("analyze", "--since", "2026-01-02", "--json"))
    assert sum(one["performance"]["trades"]["trades"] for one in (until, since)) == counts[0]
    code, out, _ = at("analyze")
    assert code == Exit.DONE and out.count("sums to the whole") == 6 and "Advisory" in out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("report", "nosuch"), "no run"),
        (("report", "2020-01-01"), "knows no day"),
        (("report", "latest", "--verify"), "takes a day"),
        (("report", "--compare", "latest"), "two runs"),
        (("report", "latest", "latest"), "name one"),
        (("report", "--since", "yesterday"), "is no day"),
        (("report", "--since", "2030-01-01"), "knows no day from 2030-01-01"),
        (("analyze", "nosuch"), "no run"),
    ],
)
def test_what_cannot_be_told_is_refused_by_name(at: Nightdesk, words: tuple[str, ...], text: str) -> None:
    code, _, err = at(*words)
    assert code == Exit.USAGE and text in err


def test_a_run_that_left_no_report_is_refused_with_what_to_do_instead(at: Nightdesk, desk: DeskRig) -> None:
    run_id = run_ids(desk)[0]
    with closing(sqlite3.connect(desk.home.database)) as db:
        (kept,) = db.execute("SELECT report FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        db.execute("UPDATE runs SET report = NULL WHERE run_id = ?", (run_id,))
        db.commit()
        code, _, err = at("report", run_id)
        db.execute("UPDATE runs SET report = ? WHERE run_id = ?", (kept, run_id))
        db.commit()
    assert code == Exit.USAGE and f"analyze {run_id}" in err


def test_the_page_asks_nobody_for_anything_and_is_small(desk: DeskRig) -> None:
    page = Path(desk.home.run(run_ids(desk)[0]).summary).read_text()
    assert len(page) < 2_000_000
    assert not [word for word in ("http:", "https:", "src=", "url(", "<script", "@import", "<link") if word in page]
