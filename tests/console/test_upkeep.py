"""What is done around a desk: doctor with every check broken once, doctor --fix, clean."""

import json
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from console.commands import doctor
from engine.session.clock import WallClock
from engine.session.home import Home
from engine.session.lock import DeskLock, Holder
from engine.session.secret_store import Rotation
from store.database import reading
from store.desk import open_store
from store.heads import recorded_heads
from tests.console.conftest import Nightdesk

FINDINGS = Iterator[doctor.Finding]


@pytest.fixture
def desk(nightdesk: Nightdesk, home: Home) -> Home:
    """A desk that has run: books, backup, key, heads, and a file of every kind that must outlive a clean."""
    home.create()
    store = open_store(home.database, "paper", WallClock(), threaded=False)
    store.sign_head("hour").result()
    store.close()
    run = home.run("20261121-070822").path
    (home.dir / "archive").mkdir()
    run.mkdir()
    for path in (
        *(home.emergency, home.kill_file, home.latch_file, home.nonces, home.market_anchor, home.alerts, home.backup),
        *(home.system_log, home.artifacts / "2026-11-21.json", run / "final_report.json", run / ".x.json.1.2"),
        *(home.dir / "archive" / "journal-1-2.jsonl.gz", home.dir / "heads.jsonl"),
    ):
        path.write_text("kept\n")
        path.chmod(0o600)
    home.point_latest_at(home.run("20261121-070822"))
    return home


def everything(home: Home) -> dict[Path, bytes]:
    """Every file's content, without what SQLite keeps beside books that are being read."""
    files = [path for path in home.root.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    return {path: path.read_bytes() for path in files}


def die(home: Home) -> list[Path]:
    """Leave behind what a killed desk leaves."""
    home.lock.write_bytes(b'{"pid": 1}\n')
    home.lock.chmod(0o600)
    home.ballast.write_bytes(bytes(1000))
    unfinished = home.dir / ".market.json.123.456"
    unfinished.write_text("half")
    (home.runs / ".latest").symlink_to("20261121-070822")
    return [home.lock, home.ballast, home.runs / ".latest", unfinished]


@contextmanager
def running(home: Home) -> Iterator[None]:
    lock = DeskLock.acquire(home.lock, Holder(pid=7, started_ns=1))
    try:
        yield
    finally:
        lock.release()


# --- clean ---


def test_clean_removes_what_a_dead_desk_left_and_nothing_else(nightdesk: Nightdesk, desk: Home) -> None:
    kept = everything(desk)
    left = die(desk)
    before = everything(desk)
    code, out, _ = nightdesk("clean", "--dry-run", "--json")
    assert code == 0 and sorted(json.loads(out)["would_remove"]) == sorted(map(str, left))
    assert everything(desk) == before and (desk.runs / ".latest").is_symlink()
    code, out, _ = nightdesk("clean", "--json")
    answer = json.loads(out)
    assert code == 0 and sorted(answer["removed"]) == sorted(map(str, left)) and answer["bytes"] > 1000
    assert everything(desk) == kept and not (desk.runs / ".latest").is_symlink() and desk.latest.is_symlink()
    assert nightdesk("clean") == (0, "nothing to remove\n", "")


def test_clean_says_in_words_what_it_removed(nightdesk: Nightdesk, desk: Home) -> None:
    die(desk)
    assert f"would remove {desk.lock}\n" in nightdesk("clean", "--dry-run")[1]
    out = nightdesk("clean")[1]
    assert f"removed {desk.ballast}\n" in out and out.splitlines()[-1].startswith("4 files, ")


def test_a_socket_nobody_listens_on_is_removed(nightdesk: Nightdesk, tmp_path: Path) -> None:
    home = Home.at(tmp_path, "paper")
    home.create()
    home.socket.parent.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home.socket))
    assert json.loads(nightdesk("clean", "--json")[1])["removed"] == [str(home.socket)]
    assert not home.socket.exists()


@pytest.mark.parametrize("arguments", [["clean"], ["clean", "--dry-run"]])
def test_clean_leaves_a_running_desk_alone(arguments: list[str], nightdesk: Nightdesk, desk: Home) -> None:
    die(desk)
    with running(desk):
        before = everything(desk)
        code, _, err = nightdesk(*arguments)
        assert code == 3 and "already_running" in err and everything(desk) == before


def test_clean_where_no_desk_was_makes_nothing(nightdesk: Nightdesk, home: Home) -> None:
    assert nightdesk("clean")[:2] == (0, "nothing to remove\n") and not home.dir.exists()


# --- doctor --fix ---


def told(out: str, name: str) -> list[tuple[str, str]]:
    """Verdict and text of every finding of that name."""
    return [(found["verdict"], found["text"]) for found in json.loads(out) if found["name"] == name]


def test_fix_makes_closes_and_clears_and_says_each(nightdesk: Nightdesk, desk: Home) -> None:
    kept = everything(desk)
    shutil.rmtree(desk.logs)
    kept = {path: data for path, data in kept.items() if path != desk.system_log}
    die(desk)
    key = desk.dir / "keys" / "desk.pem"
    for path, mode in ((desk.dir, 0o755), (desk.runs, 0o750), (desk.database, 0o644), (key, 0o640)):
        path.chmod(mode)
    code, out, _ = nightdesk("doctor", "--json")
    assert code == 1 and told(out, "home")[0][0] == "FAIL" and told(out, "lock")[0][0] == "warn"
    assert {text.partition(" ")[0] for _, text in told(out, "permissions")} >= {str(desk.database), str(key)}

    code, out, _ = nightdesk("doctor", "--fix", "--json")
    assert code == 0 and told(out, "lock") == [("ok", "free")] and not told(out, "permissions")
    done = {text for verdict, text in told(out, "fix") if verdict == "fixed"}
    assert done >= {
        f"made {desk.logs}",
        f"closed {desk.dir} to others (mode 700)",
        f"closed {desk.runs} to others (mode 700)",
        f"closed {desk.database} to others (mode 600)",
        f"closed {key} to others (mode 600)",
        f"removed {desk.lock}, left by a desk that died",
    }
    assert [stat.S_IMODE(path.stat().st_mode) for path in (desk.dir, desk.database, key)] == [0o700, 0o600, 0o600]
    assert everything(desk) == kept
    assert not told(nightdesk("doctor", "--fix", "--json")[1], "fix")


def test_fix_leaves_the_lock_of_a_running_desk(nightdesk: Nightdesk, desk: Home) -> None:
    with running(desk):
        code, out, _ = nightdesk("doctor", "--fix", "--json")
        assert code == 0 and not told(out, "fix") and "held by a running desk" in told(out, "lock")[0][1]
        assert desk.lock.exists()


# --- every check, broken ---


def broken(nightdesk: Nightdesk, name: str, verdict: str, word: str) -> None:
    """The doctor, healthy before, now tells `name` with `verdict`, and exits accordingly."""
    code, out, _ = nightdesk("doctor", "--json")
    assert [found for found in told(out, name) if found[0] == verdict and word in found[1]], told(out, name)
    assert code == (1 if verdict == "FAIL" else 0)


def test_a_desk_that_has_run_is_healthy(nightdesk: Nightdesk, desk: Home) -> None:
    assert nightdesk("doctor")[0] == 0


def test_python(nightdesk: Nightdesk, desk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 10, 9, "final", 0))
    broken(nightdesk, "python", "FAIL", "3.11 or newer")


def test_config(nightdesk: Nightdesk, desk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTDESK_RISK_POSITIONS_MAX", "9")
    broken(nightdesk, "config", "FAIL", "positions_max")


def test_home_of_another_user(nightdesk: Nightdesk, desk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = desk.dir.stat().st_uid
    monkeypatch.setattr("os.getuid", lambda: uid + 1)
    broken(nightdesk, "home", "FAIL", "another user")


@pytest.mark.parametrize(("free", "verdict"), [(200 * 2**20 - 1, "FAIL"), (200 * 2**20, "warn"), (2 * 2**30, "ok")])
def test_disk(free: int, verdict: str, nightdesk: Nightdesk, desk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
    broken(nightdesk, "disk", verdict, "GB free")


@pytest.mark.parametrize(("behind_ns", "verdict"), [(10**9, "ok"), (10**9 + 1, "FAIL")])
def test_clock(behind_ns: int, verdict: str, nightdesk: Nightdesk, desk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with reading(desk.database) as connection:
        now_ns = recorded_heads(connection)[-1].at_ns - behind_ns
    monkeypatch.setattr(doctor, "WallClock", lambda: SimpleNamespace(now_ns=lambda: now_ns))
    monkeypatch.setattr(doctor, "unkept_text", lambda: "")  # whatever keeps the clock of the machine that tests
    broken(nightdesk, "clock", verdict, "set the clock" if verdict == "FAIL" else "UTC")


def test_lock(nightdesk: Nightdesk, desk: Home) -> None:
    die(desk)
    broken(nightdesk, "lock", "warn", "its desk died")


def test_kill_switch(nightdesk: Nightdesk, desk: Home) -> None:
    broken(nightdesk, "kill switch", "warn", "set by file")
    desk.kill_file.unlink()
    broken(nightdesk, "kill switch", "warn", "latched")
    desk.latch_file.unlink()
    broken(nightdesk, "kill switch", "ok", "not set")


def test_books(nightdesk: Nightdesk, desk: Home) -> None:
    desk.database.write_bytes(b"rubbish" * 4096)
    broken(nightdesk, "books", "FAIL", "desk.db")


def test_signing_key(nightdesk: Nightdesk, desk: Home) -> None:
    folder = desk.dir / "keys"
    (folder / "desk.pub.pem").unlink()
    broken(nightdesk, "signing key", "warn", "not its public half")
    (folder / "desk.pem").write_text("rubbish")
    broken(nightdesk, "signing key", "FAIL", "cannot be used as a key")
    (folder / "desk.pem").unlink()
    broken(nightdesk, "signing key", "warn", "missing")


def test_emergency_record(nightdesk: Nightdesk, desk: Home) -> None:
    broken(nightdesk, "emergency record", "warn", "waits for the next start")


def test_permissions(nightdesk: Nightdesk, desk: Home) -> None:
    desk.emergency.chmod(0o640)
    broken(nightdesk, "permissions", "warn", "doctor --fix closes it")


@pytest.mark.parametrize(
    ("env", "days", "verdict"),
    [("paper", 75, "warn"), ("paper", 91, "warn"), ("live", 90, "warn"), ("live", 91, "FAIL"), ("live", None, "FAIL")],
)
def test_secrets_that_are_due(
    env: str, days: int | None, verdict: str, nightdesk: Nightdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SimpleNamespace(rotations=(Rotation("KEY", days), Rotation("YOUNG", 74)))
    monkeypatch.setattr(doctor, "read", lambda where, tree: config)
    monkeypatch.setattr(doctor, "CHECKS", (doctor._rotations,))
    code, out, _ = nightdesk("doctor", "--json", "--env", env)
    assert [found[0] for found in told(out, "secrets")] == [verdict] and code == (1 if verdict == "FAIL" else 0)


def test_every_check_is_made() -> None:
    written = [each for each in vars(doctor).values() if getattr(each, "__annotations__", {}).get("return") == FINDINGS]
    assert set(written) == set(doctor.CHECKS) and len(written) > 10
