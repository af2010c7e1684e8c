"""Where a desk keeps its files: every path under `<home>/<env>/`, and nothing else in the program joins one.

The folder belongs to one user (0700) and to one environment. Nothing is made by asking for a path; `create` makes the
folders once the desk's lock may be taken, so that a refused start leaves no trace.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from engine.session.errors import SessionError

ENVS: Final = ("paper", "live")
SOCKET_PATH_BYTES_MAX: Final = 100  # the kernel's own limit is 104 to 108 bytes with the closing zero
RUNS_PER_SECOND_MAX: Final = 36
KILL_VARIABLE: Final = "NIGHTDESK_KILL_SWITCH"
_NO_KILL_WORDS: Final = frozenset({"", "false", "0", "no", "off"})
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class HomeRefused(SessionError):
    """A folder cannot be used as it is: not ours, not a folder, or not writable."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The outputs of one run, under `runs/<run-id>/`."""

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def config_snapshot(self) -> Path:
        return self.path / "config_snapshot.json"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def session_log(self) -> Path:
        return self.path / "session.log"

    @property
    def state(self) -> Path:
        return self.path / "state.json"

    @property
    def metrics_json(self) -> Path:
        return self.path / "metrics.json"

    @property
    def metrics_csv(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def final_report(self) -> Path:
        return self.path / "final_report.json"

    @property
    def summary(self) -> Path:
        return self.path / "summary.html"

    @property
    def essay(self) -> Path:
        return self.path / "report.md"

    @property
    def review(self) -> Path:
        return self.path / "report.json"


@dataclass(frozen=True)
class Home:
    """The files of one environment's desk. `root` is absolute; `env` is paper or live.

    Paths that are looked at many times a second are made once.
    """

    root: Path
    env: str

    @classmethod
    def at(cls, root: Path, env: str) -> "Home":
        """The home at `root`, made absolute so that a later change of directory moves nothing."""
        if env not in ENVS:
            raise HomeRefused(f"environment {env!r}: must be one of {', '.join(ENVS)}")
        return cls(Path(os.path.abspath(root.expanduser())), env)  # noqa: PTH100 - resolve() would follow links

    @cached_property
    def dir(self) -> Path:
        return self.root / self.env

    @property
    def database(self) -> Path:
        return self.dir / "desk.db"

    @property
    def backup(self) -> Path:
        return self.dir / "desk.db.bak"

    @property
    def emergency(self) -> Path:
        return self.dir / "emergency.jsonl"

    @property
    def ballast(self) -> Path:
        return self.dir / "ballast"

    @property
    def lock(self) -> Path:
        return self.dir / "desk.lock"

    @cached_property
    def kill_file(self) -> Path:
        return self.dir / "KILL_SWITCH"

    @property
    def latch_file(self) -> Path:
        """The guard's own durable kill latch; file or row means latched."""
        return self.dir / "LATCHED"

    @property
    def nonces(self) -> Path:
        """The nonces of signed commands that were obeyed, so that none is obeyed twice."""
        return self.dir / "nonces"

    @property
    def market_anchor(self) -> Path:
        """Where the built-in venue remembers which moment its market began at."""
        return self.dir / "market.json"

    @property
    def socket(self) -> Path:
        """The control socket: here, or under a short name in the runtime directory where this path is too long.

        The name is a digest of the long path, so that every process works it out alike; `desk.lock` records it too.
        """
        path = self.dir / "control.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
            return path
        digest = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
        return runtime_dir() / f"{digest}.sock"

    @property
    def alerts(self) -> Path:
        return self.dir / "alerts.jsonl"

    @property
    def logs(self) -> Path:
        return self.dir / "logs"

    @property
    def system_log(self) -> Path:
        return self.logs / "system.jsonl"

    @property
    def failed_start(self) -> Path:
        return self.dir / "failed_start.json"

    @property
    def artifacts(self) -> Path:
        return self.dir / "artifacts"

    @property
    def live_confirmation(self) -> Path:
        """By whom and when live trading was confirmed; without it no live entry leaves."""
        return self.dir / "live_trading_enabled.txt"

    @property
    def evidence(self) -> Path:
        """Signed verdicts of validation protocols, a file each."""
        return self.dir / "evidence"

    @property
    def runs(self) -> Path:
        return self.dir / "runs"

    @property
    def latest(self) -> Path:
        return self.runs / "latest"

    def run(self, run_id: str) -> RunFolder:
        return RunFolder(self.runs / run_id)

    def create(self) -> None:
        """Make the environment's folders, private to this user; the home around them keeps the mode it has.

        Raises:
            HomeRefused: a folder belongs to someone else, is something else, or cannot be written.
        """
        for path in (self.dir, self.logs, self.artifacts, self.runs):
            _private(path)

    def new_run(self, started_ns: int) -> RunFolder:
        """Make the folder of a run that starts now."""
        for count in range(RUNS_PER_SECOND_MAX):
            folder = self.run(run_id(started_ns, count))
            try:
                folder.path.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return folder
        raise HomeRefused(f"{self.runs}: {RUNS_PER_SECOND_MAX} runs have started within this second")

    def point_latest_at(self, folder: RunFolder) -> None:
        """Let `runs/latest` lead to a run that has begun."""
        fresh = self.runs / ".latest"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(folder.run_id)
        fresh.replace(self.latest)  # readers see the old link or the new one, never none


def run_id(started_ns: int, count: int = 0) -> str:
    """The id of a run by its start in UTC: `20261121-070822`, with a letter for the `count`-th more in that second.

    15 or 16 characters, sorting by time, which leaves 15 for the rest of a client order id of at most 32.
    """
    start = datetime.fromtimestamp(started_ns // 1_000_000_000, tz=UTC)
    return f"{start:%Y%m%d-%H%M%S}{_DIGITS[count] if count else ''}"


def kill_requested(home: Home, variables: Mapping[str, str]) -> str | None:
    """Which outside switch asks for a kill: "file", "environment", or None. An unreadable folder counts as a kill."""
    try:
        home.kill_file.lstat()
    except FileNotFoundError:
        pass
    except OSError:
        return "file"
    else:
        return "file"
    return "environment" if kill_variable_set(variables) else None


def kill_variable_set(variables: Mapping[str, str]) -> bool:
    """True if the kill variable says anything but FALSE, 0, NO or OFF, whatever the case: what is unclear kills."""
    return variables.get(KILL_VARIABLE, "").strip().lower() not in _NO_KILL_WORDS


def write_kill_file(home: Home, text: str) -> Path:
    """Put the kill file in place, durable, making the folder if need be; an older file stays as it is."""
    _private(home.dir)
    try:
        handle = os.open(home.kill_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return home.kill_file
    try:
        with contextlib.suppress(OSError):  # on a full disk the file kills without its text
            os.write(handle, (text + "\n").encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    folder = os.open(home.dir, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return home.kill_file


def runtime_dir() -> Path:
    """A short private folder for sockets: below XDG_RUNTIME_DIR where that is short enough, else below /tmp."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base.startswith("/") and len(os.fsencode(base)) <= SOCKET_PATH_BYTES_MAX - 40:
        return Path(base) / "nightdesk"
    return Path(f"/tmp/nightdesk-{os.getuid()}")


def make_socket_folder(home: Home) -> None:
    """Make sure the folder of the control socket exists and is ours alone."""
    _private(home.socket.parent)


def _private(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = path.lstat() if path.parent == Path("/tmp") else path.stat()  # in a shared folder a link is a trap
    except FileExistsError as problem:
        raise HomeRefused(f"{path}: is in the way: a folder is needed here") from problem
    except OSError as problem:
        raise HomeRefused(f"{path}: cannot be made: {problem.strerror}") from problem
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise HomeRefused(f"{path}: must be a folder of the user who runs the desk")
    if stat.S_IMODE(info.st_mode) & 0o077:
        path.chmod(0o700)
