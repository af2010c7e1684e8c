"""Which desk a command is about: the home, the environment, and whether the answer is JSON."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from console.exits import Exit, Quit
from engine.session.dotenv import PREFIX, Problem, read_dotenv
from engine.session.errors import SessionError
from engine.session.home import Home

DEFAULT_HOME = ".nightdesk"
DOTENV = Path(".env")


@dataclass(frozen=True, slots=True)
class Where:
    """What the three options every command takes came to.

    Attributes:
        variables: The environment over `.env`.
    """

    home: Home
    json: bool
    variables: Mapping[str, str]


def find(home: Path | None, env: str | None, json: bool) -> Where:
    """Command line, then environment, then `.env`, then default.

    Raises:
        Quit: the environment is none of ours.
    """
    unheeded: list[Problem] = []  # whoever loads the configuration reports them; a kill must not wait for that
    variables = {**read_dotenv(DOTENV, unheeded), **os.environ}
    root = home or Path(variables.get(f"{PREFIX}HOME") or DEFAULT_HOME)
    if root.exists() and not root.is_dir():
        raise Quit(Exit.USAGE, f"--home {root}: is no folder")
    try:
        return Where(Home.at(root, env or variables.get(f"{PREFIX}ENV") or "paper"), json, variables)
    except SessionError as refused:
        raise Quit(Exit.USAGE, str(refused)) from refused
