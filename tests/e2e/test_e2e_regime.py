"""A volatility file through real processes: read at the start, shown while the desk runs, and in what it leaves."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.conftest import StartDesk
from tests.e2e.shell import EAGER, ask

pytestmark = pytest.mark.e2e


def test_a_desk_reads_its_index_at_the_start_and_says_so_everywhere(start: StartDesk, tmp_path: Path) -> None:
    index = tmp_path / "vix.csv"
    today, day = datetime.now(UTC).date(), timedelta(days=1)
    index.write_text(f"date,close\n{today - day},31.5\n{today + day},12\n")  # so it may be midnight meanwhile
    desk = start("--duration", "5s", *EAGER, NIGHTDESK_REGIME_VOLATILITY=str(index))
    desk.until_said("RUNNING")
    status = desk.status()["regime"]
    assert (status["regime"], status["level"], status["source"]) == ("CRISIS", "31.5", "file:vix.csv")
    assert 0 <= status["age_seconds"] < 2 * 86_400
    assert desk.ended() == 0
    conditions = desk.report["conditions"]
    assert conditions["regimes"]["CRISIS"]["share"] == "1"
    assert [(t["previous"], t["regime"]) for t in conditions["transitions"]] == [("UNKNOWN", "CRISIS")]
    assert "regime: UNKNOWN -> CRISIS" in desk.folder.session_log.read_text()
    assert ask(tmp_path, "replay", "latest", "--verify").code == 0


def test_a_bad_index_is_refused_before_anything_starts(tmp_path: Path) -> None:
    index = tmp_path / "vix.csv"
    index.write_text("date,close\n2026-01-02,seventeen\n")
    answer = ask(tmp_path / "home", "run", "--headless", NIGHTDESK_REGIME_VOLATILITY=str(index))
    assert answer.code == 2
    assert f"{index}:2: close = 'seventeen'" in answer.err
    assert not (tmp_path / "home").exists()
