"""The program a desk runs: files that are replaced under it, and libraries nobody tried it with."""

import os
from importlib import metadata
from pathlib import Path

import msgspec
import pytest

from engine.core.config import SECOND
from engine.core.words import AlertKind
from engine.session.program import LOCK, Program, installed, replaced_text, unpinned
from engine.session.session import Session
from engine.session.status import status_json
from tests.session.deskrig import DeskRig
from tests.session.test_alerts_run import LONG, told
from tests.session.test_watching import Slow, until


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small program."""
    (tmp_path / "engine" / "core").mkdir(parents=True)
    for name in ("engine/core/a.py", "engine/core/b.py", "engine/c.sql", "engine/notes.txt", "own.py"):
        (tmp_path / name).write_text(f"{name}\n")
    return tmp_path


def test_a_file_that_is_another_one_gone_or_new_is_named(root: Path) -> None:
    """FO-16."""
    program = Program(root, [root / "own.py"])
    assert program.replaced() == ()
    (root / "engine/core/a.py").write_text("other\n")
    (root / "engine/core/b.py").unlink()
    (root / "engine/d.py").write_text("new\n")
    (root / "own.py").write_text("other\n")
    (root / "engine/notes.txt").write_text("other\n")
    assert program.replaced() == ("engine/core/a.py", "engine/core/b.py", "engine/d.py", "own.py")
    text = replaced_text(program.replaced())
    assert "engine/core/a.py, engine/core/b.py, engine/d.py and 1 more" in text


def test_the_same_contents_written_again_are_the_same_program(root: Path) -> None:
    program, path = Program(root), root / "engine/core/a.py"
    path.write_text(path.read_text())
    os.utime(path, ns=(1, 1))
    assert program.replaced() == ()
    assert Program(root).fingerprint == program.fingerprint
    path.write_text("other\n")
    assert Program(root).fingerprint != program.fingerprint
    path.write_text("engine/core/a.py\n")
    assert program.replaced() == ()


def test_a_program_replaced_under_a_running_desk_is_told_shown_and_in_the_report(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FO-16."""
    monkeypatch.setattr("engine.session.watching.PROGRAM_CHECK_PROBES", 1)
    monkeypatch.setattr("engine.session.watching.RESOURCE_CHECK_PROBES", 1)
    monkeypatch.setattr("engine.session.watching.BEAT_NS", SECOND // 20)
    rig, program = DeskRig(root / "home"), Program(root)
    made = rig._plan
    text = "somelib is version 2, and 1 is what the program was tried with: make setup"
    watched = {"program": program, "unpinned": (text,), "warnings": (text,)}
    monkeypatch.setattr(rig, "_plan", lambda *given: msgspec.structs.replace(made(*given), **watched))
    (root / "engine/core/b.py").write_text("other\n")

    def seen(session: Session) -> bool:
        view = session.view()
        if view is None or len(view.heartbeat.warnings) < 2:
            return False
        status = status_json(view)
        return bool(status["program"] == program.fingerprint and status["warnings"][0] == text)

    _, report = rig.run(LONG, source=Slow(rig), meddle=lambda session: until(session, seen))
    assert report["program"] == {
        "fingerprint": program.fingerprint,
        "replaced": ["engine/core/b.py"],
        "unpinned": [text],
    }
    assert ["engine/core/b.py" in text for kind, text in told(rig) if kind is AlertKind.CHANGED] == [True], told(rig)


def test_a_library_of_another_version_than_the_pinned_one_is_named(tmp_path: Path) -> None:
    """FS-15: what a wheel holds is checked by its hash when it is installed; which one is there, at every start."""
    lock = tmp_path / "requirements.lock"
    lock.write_text("some-lib==1.2.0 \\\n    --hash=sha256:00\nother==3\nabsent==1 ; sys_platform == 'win32'\n")
    versions = {"some_lib": "1.2.0", "other": "3"}
    assert unpinned(lock, versions) == ()
    versions["other"] = "4"
    assert unpinned(lock, versions) == ("other is version 4, and 3 is what the program was tried with: make setup",)
    assert unpinned(tmp_path / "none", versions) == ()


def test_the_lock_of_the_program_itself_is_read() -> None:
    assert len(unpinned(LOCK, dict.fromkeys(installed(), "0.0.0a0"))) > 50


def test_what_is_installed_is_found_as_the_libraries_say_it_of_themselves() -> None:
    there = installed()
    for name in ("aiohttp", "msgspec", "prometheus-client", "python-dotenv", "typing_extensions"):
        assert there[name.replace("-", "_")] == metadata.version(name)
