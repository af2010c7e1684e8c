"""What is shipped to run a desk by itself: the unit starts what the command line takes, and systemd understands it."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from console.cli import arranged
from console.exits import Exit

REPO = Path(__file__).parents[1]
UNIT = REPO / "deploy" / "nightdesk.service"
CONTAINER = REPO / "deploy" / "Containerfile"


def settings() -> dict[str, str]:
    return dict(re.findall(r"(?m)^(\w+)=(.*)$", UNIT.read_text()))


def test_the_unit_starts_a_headless_desk() -> None:
    program, *words = shlex.split(settings()["ExecStart"])
    assert program.endswith("/.venv/bin/nightdesk")
    assert arranged(words) == ["--home", "/var/lib/nightdesk", "run", "--headless"]


def test_the_unit_waits_for_ready_feeds_a_watchdog_and_does_not_repeat_what_cannot_succeed() -> None:
    unit = settings()
    assert (unit["Type"], unit["NotifyAccess"], unit["KillMode"]) == ("notify", "main", "mixed")
    assert int(unit["WatchdogSec"]) >= 30  # the guard ends a frozen loop by itself before that
    prevented = {int(code) for code in unit["RestartPreventExitStatus"].split()}
    assert prevented == {Exit.USAGE, Exit.ALREADY_RUNNING}


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine")
    here = re.sub(r"(?m)^(ExecStart|WorkingDirectory|User)=.*$", "", UNIT.read_text())
    unit = tmp_path / "nightdesk.service"
    unit.write_text(here.replace("[Service]", "[Service]\nExecStart=/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    if "Failed to initialize manager" in done.stderr:
        pytest.skip(f"systemd-analyze does not work here: {done.stderr.strip()}")
    assert [line for line in done.stderr.splitlines() if "nightdesk.service" in line] == []


def test_the_container_copies_what_there_is_and_runs_as_nobody_special() -> None:
    text = CONTAINER.read_text()
    copied = [word for line in re.findall(r"(?m)^COPY (.*)$", text) for word in line.split()[:-1]]
    assert copied and all((REPO / name).exists() for name in copied)
    assert "--require-hashes" in text
    assert text.index("USER nightdesk") < text.index("ENTRYPOINT")
