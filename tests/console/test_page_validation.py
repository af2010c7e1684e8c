"""The validation page: the protocol as it stands, how to start one, and verdicts only as they were signed."""

import sqlite3
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from console.pages.validation import ValidationPage
from console.text import width_of
from engine.core.times import DAY, HOUR
from engine.core.view import CriterionView, ProtocolView
from engine.review.evidence import Files
from engine.review.protocol import Verdict
from store.keys import DeskKey
from store.verdicts import Statement, signed
from tests.console import sample_desk as sample
from tests.console.small_books import Sitting, make

UNDER_WAY = ProtocolView(
    name="72h",
    protocol_id="72h-20260104-000000",
    started_ns=sample.NOW - 30 * HOUR,
    elapsed_ns=30 * HOUR,
    of_ns=3 * DAY,
    day=2,
    days=3,
    outages=1,
    rehearsal=("the built-in venue's simulated market",),
    criteria=(
        CriterionView("uptime", "It is up", "reliability", "PASS", "99.98 %", "99 % or more"),
        CriterionView("few_errors", "Errors are few", "reliability", "FAIL", "19", "at most 15"),
        CriterionView("full_duration", "It lasts its whole time", "reliability", "OPEN", "", "3d"),
        CriterionView("drawdown", "Drawdown stays small", "economics", "PASS", "0.4 %", "at most 10 %"),
    ),
)
VALIDATED = sample.changed(sample.BUSY, protocol=UNDER_WAY)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    store = make(tmp_path, traded=False)
    store.close()
    return store.path


def judge(books: Path, row: int, name: str, *, passed: bool, forged: bool = False) -> None:
    verdict = Verdict(
        schema=1,
        protocol_id=name,
        protocol="72h",
        env="paper",
        passed=passed,
        reliability="PASS",
        economics="PASS" if passed else "FAIL",
        failed=() if passed else ("drawdown",),
        exit="passed" if passed else "failed",
        digest="ab",
        rehearsal=("a market played from files",),
        real=False,
        elapsed_seconds=259_200,
        days=3,
        outages=0,
        score="",
        criteria=(),
        fingerprints={},
        first_row=1,
        last_row=9,
    )
    statement = signed(Statement("desk", "paper", sample.NOW, verdict, Files()), DeskKey(Ed25519PrivateKey.generate()))
    body = msgspec.json.encode(statement).decode()
    if forged:
        body = body.replace("FAIL", "PASS")
    connection = sqlite3.connect(books)
    with connection:
        values = (row, 1, "PAPER", sample.NOW, name, int(passed), body)
        connection.execute("INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    connection.close()


async def test_without_a_protocol_it_says_which_commands_start_one(books: Path) -> None:
    shown = await Sitting(ValidationPage(), books).look()
    for name in ("autonomy", "72h", "week", "audit"):
        assert f"nightdesk validate {name}" in shown
    assert "14-30 days" in shown and "none yet" in shown


async def test_a_protocol_tells_its_progress_and_what_fails_first(books: Path) -> None:
    shown = await Sitting(ValidationPage(), books, VALIDATED).look()
    assert "72h-20260104-000000" in shown and "day 2 of 3, 1d 06:00:00 of 3d" in shown and "1 outage" in shown
    assert " 41 %" in shown
    assert "! REHEARSAL: the built-in venue's simulated market: it can never unlock live trading" in shown
    assert "x 1 fails, 1 of 3 hold so far" in shown and "1 of 1 hold so far" in shown
    assert shown.index("x FAIL") < shown.index("~ open") < shown.index("ok PASS")
    assert "at most 15" in shown and "nightdesk validate" not in shown


async def test_one_that_has_not_begun_to_trade_says_so(books: Path) -> None:
    begun = msgspec.structs.replace(UNDER_WAY, started_ns=0, elapsed_ns=0)
    shown = await Sitting(ValidationPage(), books, sample.changed(sample.BUSY, protocol=begun)).look()
    assert "it has not begun to trade" in shown


async def test_verdicts_are_shown_as_they_were_signed(books: Path) -> None:
    judge(books, 101, "72h-20260101-000000", passed=True)
    judge(books, 102, "72h-20260102-000000", passed=False)
    judge(books, 103, "72h-20260103-000000", passed=False, forged=True)
    lines = (await Sitting(ValidationPage(), books, size=(160, 40)).look()).splitlines()
    told = {number: next(line for line in lines if f"72h-2026010{number}" in line) for number in (1, 2, 3)}
    assert "ok PASS" in told[1] and "rehearsal; passed" in told[1]
    assert "x FAIL" in told[2] and "failed by drawdown" in told[2]
    assert "x forged" in told[3] and "signature does not hold" in told[3] and "PASS" not in told[3]


@pytest.mark.parametrize("level", ["DENIED", "PAPER_ONLY", "LIMITED", "FULL", "SOMETHING"])
async def test_the_live_gate_is_told_beside_it(books: Path, level: str) -> None:
    shown = await Sitting(ValidationPage(), books, sample.changed(sample.BUSY, gate_level=level)).look()
    assert f"─ {level}" in shown and "nightdesk gate says why" in shown
    assert ("No live order may leave" in shown) == (level in ("DENIED", "PAPER_ONLY"))


@pytest.mark.parametrize("size", [(80, 18), (120, 34), (160, 42), (240, 54)])
async def test_it_fits_its_screen_and_is_scrolled(books: Path, size: tuple[int, int]) -> None:
    sitting = Sitting(ValidationPage(), books, VALIDATED, size)
    shown = await sitting.look()
    assert len(sitting.draw()) <= size[1] and max(map(width_of, sitting.draw())) <= size[0]
    assert "x FAIL" in shown and "Errors are few" in shown
    assert "none yet" in await sitting.press("end")


async def test_what_keeps_it_from_reading_is_shown(books: Path) -> None:
    sitting = Sitting(ValidationPage(), books)
    sitting.page.failed("the file may not be read", 10**12)
    assert "x the file may not be read" in await sitting.look()
    assert "none yet" in await sitting.look(seconds=60)
