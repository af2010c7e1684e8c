"""Tables as people and pipes get them."""

import pytest

from console import say

ROWS = [("disk", "79 GB free at /a/b"), ("lock", "its desk died; the next start recovers")]
PLAIN = ["check  found", "disk   79 GB free at /a/b", "lock   its desk died; the next start recovers"]


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    say.table(("check", "found"), ROWS)
    return capsys.readouterr().out.splitlines()


def test_a_pipe_gets_one_line_a_row(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    assert shown(capsys) == PLAIN


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (80, PLAIN),
        (45, PLAIN),
        (44, [*PLAIN[:2], "lock   its desk died; the next start", "       recovers"]),
        (27, [*PLAIN[:2], "lock   its desk died; the", "       next start recovers"]),
        (26, PLAIN),
    ],
)
def test_a_terminal_wraps_the_last_column_below_itself(
    columns: int, lines: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert shown(capsys) == lines
