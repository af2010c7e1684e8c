"""What a headless desk loads: never the console's screen."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.shell import ROOT, environment

pytestmark = pytest.mark.e2e

RUN = """
import sys
from console.cli import main
code = main(sys.argv[1:])
loaded = [name for name in ("textual", "rich", "console.app") if name in sys.modules]
print("LOADED", *loaded, file=sys.stderr)
sys.exit(code)
"""


def test_a_headless_run_never_loads_the_screen(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, "--home", str(tmp_path), "run", "--headless", "--duration", "1s"],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "LOADED"
