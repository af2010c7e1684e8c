"""Starting something that runs: the desk itself, and the simulated venue by itself."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from console import say
from console.commands.acts import rearm_books
from console.commands.settings import read
from console.commands.where import Where
from console.exits import Exit, Quit
from console.options import RunOptions, Speed
from console.seat import Seat
from engine.session.config import Config
from engine.session.home import write_kill_file
from engine.session.layers import Override
from engine.session.remote import RemoteDesk, socket_of
from engine.session.settings import BUILT_IN
from engine.venues.sim.options import VenueOptions

if TYPE_CHECKING:
    from textual.driver import Driver

PORT_MAX: Final = 65_534  # the sockets listen on the next one


class Asked:
    """What `nightdesk run` was asked, as far as it overrides the configuration: option by option, only those given."""

    def __init__(
        self,
        venue: str | None,
        broker: str | None,
        symbols: str | None,
        strategy: str | None,
        duration: str | None,
        seed: int | None,
    ) -> None:
        given = {
            "venue": venue,
            "broker": broker,
            "symbols": symbols,
            "strategy": strategy,
            "duration": duration,
            "seed": seed,
        }
        self.overrides = {
            f"desk.{key}": Override(f"--{key}", value) for key, value in given.items() if value is not None
        }

    @property
    def names_symbols(self) -> bool:
        return "desk.symbols" in self.overrides


def run(
    where: Where,
    asked: Asked,
    *,
    tree: Path | None,
    data: Sequence[Path],
    speed: Speed,
    headless: bool,
    keep_positions: bool,
) -> int:
    """Check what was asked, then hand over to the desk; its exit code.

    Raises:
        Quit, ConfigRefused: before anything was touched.
    """
    config = read(where, tree, asked.overrides, data=bool(data))
    paths = _readable(data)
    _check_source(config, paths, speed)
    if not headless and not has_terminal():
        say.aside("no terminal: running --headless")
        headless = True
    options = RunOptions(
        env=config.env,
        home=where.home,
        venue=config.desk.venue,
        broker=config.desk.broker,
        data=paths,
        symbols=config.desk.symbols if asked.names_symbols or not paths else (),
        strategy=config.desk.strategy,
        duration_ns=config.desk.duration,
        speed=speed,
        seed=config.desk.seed,
        headless=headless,
        keep_positions=keep_positions,
        json=where.json,
    )
    from console.assemble import run_desk

    return run_desk(config, options)


def attach(where: Where, *, only_watches: bool, driver: "type[Driver] | None" = None) -> Exit:
    """Open a console on the running desk. Leaving it leaves the desk alone; when the desk ends, it waits for the next.

    `driver`: what it is drawn on; None: this terminal.

    Raises:
        NotRunning: there is no desk to begin with.
    """
    socket_of(where.home)
    if driver is None and not has_terminal():
        raise Quit(Exit.USAGE, "attach needs a terminal; nightdesk status --json needs none")
    from console.app import Bridge, Left, run_console

    desk = RemoteDesk(lambda: socket_of(where.home), only_watches=only_watches)
    desk.start()
    bridge = Bridge(
        getuser(),
        kill_fallback=None if only_watches else partial(_kill_file, where),
        seat=Seat.VIEWER if only_watches else Seat.OPERATOR,
        away=lambda: desk.away,
        books=where.home.database,
        files=where.home,
        rearm_stopped=None if only_watches else lambda reason: rearm_books(where.home, where.variables, reason),
        on_terminate=lambda: None,
    )
    try:
        departure = run_console(desk, bridge) if driver is None else run_console(desk, bridge, driver)
    finally:
        desk.close()
    if departure.left is Left.FAILED:
        raise Quit(Exit.ERROR, f"the console failed; the desk goes on\n{departure.fault}")
    return Exit.DONE


def _kill_file(where: Where) -> str:
    return str(write_kill_file(where.home, "kill: from an attached console"))


def venue(port: int, data: Sequence[Path], seed: int | None, speed: int) -> NoReturn:
    """Become the simulated venue, by itself, until it is told to end."""
    if not 0 <= port <= PORT_MAX:
        raise Quit(Exit.USAGE, f"--port: must lie between 0 (any free one) and {PORT_MAX}")
    if speed < 1:
        raise Quit(Exit.USAGE, "--speed: must be at least 1")
    paths = _readable(data)
    wish = VenueOptions(port=port, data=tuple(map(str, paths)), seed=seed, speed=speed)
    command = [sys.executable, "-P", "-m", "engine.venues.sim", msgspec.json.encode(wish).decode()]
    os.execv(sys.executable, command)  # the venue is this process from here on: signals and exit code are its own


def has_terminal() -> bool:
    """True if a person sits here: both sides are a terminal that can show a screen."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _readable(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The paths, absolute; every one that cannot be read is named."""
    found = tuple(path.expanduser().absolute() for path in paths)
    bad = []
    for path in found:
        if not path.exists():
            bad.append(f"--data: {path}: no such file or folder")
        elif not os.access(path, os.R_OK):
            bad.append(f"--data: {path}: may not be read")
        elif path.is_dir() and not any(path.iterdir()):
            bad.append(f"--data: {path}: is an empty folder")
    if bad:
        raise Quit(Exit.USAGE, "\n".join(bad))
    return found


def _check_source(config: Config, data: tuple[Path, ...], speed: Speed) -> None:
    """Recorded data and other speeds than real time exist on the built-in venue alone, its own broker on sockets."""
    if config.desk.venue == BUILT_IN:
        if speed == "max" and config.desk.broker == "venue":
            raise Quit(Exit.USAGE, "--broker venue: the venue's own broker needs its sockets; leave out --speed max")
        return
    if data:
        raise Quit(Exit.USAGE, f"--data: recorded data plays on the venue {BUILT_IN}, not on {config.desk.venue}")
    if speed != 1:
        raise Quit(Exit.USAGE, f"--speed {speed}: the venue {config.desk.venue} runs in real time")
