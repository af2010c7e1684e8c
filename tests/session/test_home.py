"""Where files live, what run ids look like, and what counts as a kill."""

import os
import stat
from pathlib import Path

import pytest

from engine.session.home import (
    KILL_VARIABLE,
    SOCKET_PATH_BYTES_MAX,
    Home,
    HomeRefused,
    kill_requested,
    kill_variable_set,
    make_socket_folder,
    run_id,
    write_kill_file,
)

START_NS = 1_795_244_902_123_456_789  # 2026-11-21 07:08:22 UTC


def test_every_path_lies_in_the_folder_of_its_environment(tmp_path: Path) -> None:
    home = Home.at(tmp_path, "paper")
    names = ["database", "backup", "emergency", "ballast", "lock", "kill_file", "latch_file", "market_anchor"]
    names += ["logs", "system_log", "artifacts", "runs", "latest"]
    assert all(getattr(home, name).is_relative_to(tmp_path / "paper") for name in names)
    assert home.run("r1").final_report == tmp_path / "paper" / "runs" / "r1" / "final_report.json"


def test_asking_for_a_path_makes_nothing(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "new", "paper")
    assert (home.database, home.socket, home.run("r1").events) and not (tmp_path / "new").exists()


def test_an_unknown_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HomeRefused, match="must be one of paper, live"):
        Home.at(tmp_path, "prod")


def test_created_folders_are_private_and_the_home_around_them_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "paper").mkdir(mode=0o755)
    home = Home.at(tmp_path, "paper")
    home.create()
    assert {stat.S_IMODE(path.stat().st_mode) for path in (home.dir, home.logs, home.runs)} == {0o700}
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_file_where_a_folder_belongs_is_named(tmp_path: Path) -> None:
    """FS-06."""
    (tmp_path / "paper").write_text("")
    with pytest.raises(HomeRefused, match=r"paper: is in the way"):
        Home.at(tmp_path, "paper").create()


def test_a_run_id_says_when_the_run_started_and_leaves_room_for_order_ids() -> None:
    assert run_id(START_NS) == "20261121-070822"
    assert run_id(START_NS, 2) == "20261121-0708222"
    assert len(f"{run_id(START_NS, 35)}-99999999999-99") <= 32


def test_two_runs_in_one_second_get_two_folders_and_latest_points_at_the_one_that_began(tmp_path: Path) -> None:
    home = Home.at(tmp_path, "paper")
    home.create()
    first, second = home.new_run(START_NS), home.new_run(START_NS)
    assert first.path != second.path and sorted([second.run_id, first.run_id]) == [first.run_id, second.run_id]
    assert not home.latest.exists()
    home.point_latest_at(first)
    home.point_latest_at(second)
    assert home.latest.readlink() == Path(second.run_id)


def test_a_long_home_gets_a_short_socket_that_every_process_works_out_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    deep = Home.at(tmp_path / ("x" * 90), "paper")
    other = Home.at(tmp_path / ("y" * 90), "paper")
    assert deep.socket == Home.at(tmp_path / ("x" * 90), "paper").socket != other.socket
    assert len(os.fsencode(deep.socket)) <= SOCKET_PATH_BYTES_MAX
    make_socket_folder(deep)
    assert stat.S_IMODE(deep.socket.parent.stat().st_mode) == 0o700


def test_a_runtime_directory_that_is_itself_too_long_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + "r" * 95)
    socket = Home.at(Path("/" + "x" * 120), "live").socket
    assert socket.is_relative_to(f"/tmp/nightdesk-{os.getuid()}") and len(str(socket)) <= SOCKET_PATH_BYTES_MAX


@pytest.mark.parametrize("word", ["TRUE", "true", "1", "Yes", " on "])
def test_the_kill_variable_is_read_whatever_its_case(tmp_path: Path, word: str) -> None:
    assert kill_requested(Home.at(tmp_path, "paper"), {"NIGHTDESK_KILL_SWITCH": word}) == "environment"


def test_no_switch_set_means_no_kill(tmp_path: Path) -> None:
    assert kill_requested(Home.at(tmp_path, "paper"), {"NIGHTDESK_KILL_SWITCH": "FALSE"}) is None


def test_the_kill_file_kills_even_as_a_broken_link(tmp_path: Path) -> None:
    home = Home.at(tmp_path, "paper")
    home.dir.mkdir()
    home.kill_file.symlink_to("nowhere")
    assert kill_requested(home, {}) == "file"


def test_a_kill_file_can_be_written_before_any_desk_ran_and_an_older_one_stays(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "fresh", "paper")
    write_kill_file(home, "first")
    write_kill_file(home, "second")
    assert home.kill_file.read_text() == "first\n"
    assert stat.S_IMODE(home.kill_file.stat().st_mode) == 0o600


def test_on_a_full_disk_the_kill_file_kills_without_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FO-03."""
    home = Home.at(tmp_path, "paper")

    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    write_kill_file(home, "enough")
    assert kill_requested(home, {}) == "file"


@pytest.mark.parametrize("value", ["TRUE", "true", "1", "yes", "ON", " True ", "maybe", "KILL", "flase"])
def test_a_kill_variable_that_does_not_say_no_kills(value: str) -> None:
    """What is unclear stops the desk: a misspelt kill must not be a missing one."""
    assert kill_variable_set({KILL_VARIABLE: value})


@pytest.mark.parametrize("value", ["", " ", "FALSE", "false", "0", "no", "Off"])
def test_a_kill_variable_that_says_no_does_not(value: str) -> None:
    assert not kill_variable_set({KILL_VARIABLE: value})
