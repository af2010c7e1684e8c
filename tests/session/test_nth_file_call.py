"""Whatever single call on a file fails during a run, the desk ends in words, its lock is free, its journal whole."""

import shutil
from pathlib import Path

import pytest

from engine.session.errors import SessionError
from store.errors import StoreError
from store.recovery import verify_file
from tests.session.deskrig import DeskRig
from tests.store.nth import FROM_THEN_ON, ONCE, Nth, file_calls

QUICK = 29


def attempt(root: Path, nth: Nth) -> int | None:
    """A run of a minute; its exit code, or None if it could not start. Once a run has begun nothing is raised."""
    rig = None
    with file_calls(nth, root):
        try:
            rig = DeskRig(root)
            rig.run(60)
        except (SessionError, StoreError, OSError) as problem:
            begun = rig is not None and hasattr(rig, "session") and rig.session.view() is not None
            unread = isinstance(problem, OSError) and "final_report.json" in str(problem.filename)  # by the rig itself
            assert unread or not begun, problem
    return rig.session.exit_code if rig is not None and hasattr(rig, "session") else None


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # a failed start ends with its files open
@pytest.mark.parametrize("step", [pytest.param(QUICK, id="quick"), pytest.param(1, id="every", marks=pytest.mark.sim)])
@pytest.mark.parametrize("how", [ONCE, FROM_THEN_ON])
def test_any_file_call_of_a_run_may_fail(ram: Path, how: str, step: int) -> None:
    """FD-06, FD-24."""
    for n in range(1, 10_000, step):
        root, nth = ram / str(n), Nth(n, how)
        code = attempt(root, nth)
        again = DeskRig(root)  # on a healthy disk, an hour later
        again.begins_ns += 3_600_000_000_000
        assert again.run(60)[0] == 0
        assert verify_file(again.home.database).is_good
        shutil.rmtree(root)
        if not nth.failed:
            assert n > 1
            assert code == 0
            return
