"""What cannot be used is refused in clear words, before anything is touched, and never with a traceback."""

import gzip
import shutil
from pathlib import Path

import pytest

from engine.session.failed_start import failed_start
from engine.session.home import Home
from tests.e2e.conftest import StartDesk
from tests.e2e.shell import ROOT, Answer, ask

pytestmark = pytest.mark.e2e


def refused(tmp_path: Path, *words: str, **variables: str) -> Answer:
    """The answer to a start that has to fail on what it was asked, leaving nothing behind."""
    home = tmp_path / "home"
    answer = ask(home, "run", "--headless", "--duration", "1s", *words, **variables)
    assert answer.code == 2, answer.err
    assert answer.err.startswith("nightdesk: ") or answer.err.startswith("Usage")
    assert not home.exists()
    return answer


def tree(tmp_path: Path, file: str, line: str) -> Path:
    """A configuration tree with one more line at the end of one file."""
    copy = tmp_path / "paper"
    shutil.copytree(ROOT / "config" / "paper", copy)
    path = copy / file
    kept = [old for old in path.read_text().splitlines() if not old.startswith(line.split(" ")[0] + " ")]
    path.write_text("\n".join([*kept, line]) + "\n")
    return copy


@pytest.mark.parametrize(
    ("file", "line", "named"),
    [
        ("desk.toml", "min_hystory = 100", ("min_hystory", "min_history")),
        ("desk.toml", 'min_history = "many"', ("min_history", "many")),
        ("desk.toml", 'env = "live"', ("env", "live", "paper")),
        ("desk.toml", "seed = ", ("desk.toml",)),
        ("risk.toml", 'order_notional_max_usd = "200001"', ("order_notional_max_usd", "200000")),
        ("risk.toml", 'heat_max_percent = "nan"', ("heat_max_percent", "nan")),
        ("risk.toml", "positions_max = -1", ("positions_max", "-1")),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named(
    tmp_path: Path, file: str, line: str, named: tuple[str, ...]
) -> None:
    """FC-01, FC-09."""
    answer = refused(tmp_path, "--config", str(tree(tmp_path, file, line)))
    for word in (file, *named):
        assert word in answer.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--duration", "soon"), ("duration", "soon", "90s")),
        (("--duration", "10"), ("duration", "10")),
        (("--speed", "fast"), ("--speed fast", "max")),
        (("--speed", "0"), ("--speed 0",)),
        (("--symbols", "NOSUCHUSDT"), ("NOSUCHUSDT",)),
        (("--strategy", "nosuch"), ("nosuch",)),
        (("--strategy", "no.such:Class"), ("no.such",)),
        (("--venue", "bitunix"), ("bitunix",)),
        (("--broker", "venue", "--speed", "max"), ("--broker venue", "max")),
        (("--data", "/no/such/file.csv"), ("/no/such/file.csv",)),
        (("--seed", "-1"), ("seed",)),
    ],
)
def test_an_option_that_cannot_be_used_is_named(tmp_path: Path, words: tuple[str, ...], named: tuple[str, ...]) -> None:
    answer = refused(tmp_path, *words)
    for word in named:
        assert word in answer.err


def test_a_variable_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    assert "NIGHTDESK_MIN_HISTORY" in refused(tmp_path, NIGHTDESK_MIN_HISTORY="-5").err


@pytest.mark.parametrize("speed", ["max", "60"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.csv", b"what,is,this\n1,2,3\n"),
        ("BTCUSDT.csv", b"\x00\x01\x02\xff\xfe"),
        ("BTCUSDT.csv.gz", b"not packed at all"),
        ("BTCUSDT.csv", b""),
    ],
    ids=["unknown columns", "binary", "broken gzip", "empty"],
)
def test_a_file_that_cannot_be_played_is_named(tmp_path: Path, name: str, content: bytes, speed: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    answer = ask(tmp_path / "home", "run", "--headless", "--duration", "1m", "--data", str(path), "--speed", speed)
    assert answer.code == 2
    assert str(path) in answer.err
    home = Home.at(tmp_path / "home", "paper")
    failed = failed_start(home)
    assert failed is not None and str(path) in failed.text
    assert str(path) in home.system_log.read_text()


def bars(path: Path, spoilt: dict[int, str]) -> Path:
    """Three hours of one-minute bars; `spoilt` replaces rows by their line number in the file."""
    lines = ["ts_ms,open,high,low,close,volume"]
    for minute in range(180):
        price = 60_000 + minute % 7
        lines.append(f"{1_746_372_780_000 + minute * 60_000},{price},{price + 9},{price - 9},{price + 1},3")
    for line, text in spoilt.items():
        stamp = lines[line - 1].split(",")[0]
        lines[line - 1] = text.format(ts=stamp)
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    return path


def test_a_malformed_row_is_counted_and_told_with_file_line_and_column(start: StartDesk, tmp_path: Path) -> None:
    spoilt = {150: "{ts},60000,60009,nan,60001,3", 152: "{ts},60000,60009,-5,60001,3", 154: "{ts},60000,what"}
    path = bars(tmp_path / "BTCUSDT.csv.gz", spoilt)
    desk = start("--data", str(path), "--speed", "max")
    assert desk.ended() == 0
    assert desk.report["data_rejects"] == 3
    told = desk.home.system_log.read_text() + desk.folder.session_log.read_text()
    for line in spoilt:
        assert f"{path}:{line}:" in told
