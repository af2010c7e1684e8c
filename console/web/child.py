"""One console in a browser: what `nightdesk attach` is on a terminal. Started by the server, one for each page."""

import os
import sys
from pathlib import Path

from textual.drivers.web_driver import WebDriver

from console.commands.start import attach
from console.commands.where import find
from console.exits import Quit
from engine.session.errors import SessionError


def main(home: str, env: str, role: str) -> int:
    """Attach until the page is closed; the exit code."""
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    os.environ.pop("NO_COLOR", None)
    try:
        return attach(find(Path(home), env, False), only_watches=role != "operator", driver=WebDriver)
    except (Quit, SessionError) as problem:
        print(problem, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
