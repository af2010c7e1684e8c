"""Secrets from their sources: found wherever they lie, refused where others can read them, quoted nowhere."""

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.session.dotenv import Problem
from engine.session.layers import Sources
from engine.session.secret_store import ROTATE_DAYS, TOO_OLD_DAYS, Rotation, read_secrets

NAME = "NIGHTDESK_CONTROL_KEY"
CANARY = "c4na7y-" * 6
TODAY = date(2026, 11, 21)
NOW_NS = int(datetime(2026, 11, 21, 23, 59, tzinfo=UTC).timestamp()) * 10**9


class Tree:
    def __init__(self, root: Path) -> None:
        self.path = root / "secrets.toml"
        self.problems: list[Problem] = []

    def read(
        self, body: str, variables: dict[str, str] | None = None, dotenv: dict[str, str] | None = None
    ) -> tuple[dict[str, str], tuple[Rotation, ...]]:
        self.path.write_text(f'env = "paper"\n{body}')
        self.problems.clear()
        return read_secrets(self.path, "paper", Sources({}, variables or {}, dotenv or {}), NOW_NS, self.problems)

    def source(self, source: str, variables: dict[str, str] | None = None) -> str | None:
        """What comes of one source; None, with a problem, if nothing does."""
        found, _ = self.read(f'[{NAME}]\nfrom = """{source}"""', variables)
        assert bool(found) is not bool(self.problems)
        assert CANARY not in "".join(map(str, self.problems))
        return found.get(NAME)

    @property
    def said(self) -> str:
        return "\n".join(map(str, self.problems))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "control.key"
    path.write_text(f"{CANARY}\n")
    path.chmod(0o600)
    return path


def test_without_the_file_everything_comes_from_the_environment(tmp_path: Path) -> None:
    problems: list[Problem] = []
    assert read_secrets(tmp_path / "none.toml", "paper", Sources({}, {}, {}), NOW_NS, problems) == ({}, ())
    assert problems == []


def test_a_file_only_its_owner_can_read_gives_its_line(tree: Tree, key: Path) -> None:
    assert tree.source(f"file:{key}") == CANARY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_others_can_touch_is_refused(tree: Tree, key: Path, mode: int) -> None:
    key.chmod(mode)
    assert tree.source(f"file:{key}") is None
    assert f"chmod 600 {key}" in tree.said


def test_a_credential_of_systemd_is_found_where_systemd_put_it(tree: Tree, key: Path) -> None:
    folder = {"CREDENTIALS_DIRECTORY": str(key.parent)}
    assert tree.source("credential:control.key", folder) == CANARY
    assert tree.source("credential:../control.key", folder) is None
    assert tree.source("credential:other", folder) is None
    assert tree.source("credential:control.key") is None
    assert "LoadCredential=control.key" in tree.said


def test_a_program_prints_it(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tree.source(f"command:{sys.executable} -c \"print('{CANARY}'); print('more')\"") == CANARY
    assert tree.source(f"command:{sys.executable} -c \"import sys; sys.exit('{CANARY}')\"") is None
    assert "exit code 1" in tree.said
    assert tree.source("command:/no/such/program") is None
    assert tree.source("command:echo 'unclosed") is None
    assert tree.source(f'command:{sys.executable} -c "pass"') is None
    assert "holds nothing" in tree.said
    monkeypatch.setattr("engine.session.secret_store.COMMAND_SECONDS", 0.2)
    assert tree.source(f'command:{sys.executable} -c "import time; time.sleep(60)"') is None
    assert "no answer within 0.2 s" in tree.said


def test_the_keyring_is_asked_by_service_and_user(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def get(service: str, user: str) -> str | None:
        if service == "broken":
            raise RuntimeError(CANARY)
        return CANARY if (service, user) == ("nightdesk", "control") else None

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=get))
    assert tree.source("keyring:nightdesk/control") == CANARY
    assert tree.source("keyring:nightdesk/other") is None
    assert "keyring set nightdesk other" in tree.said
    assert tree.source("keyring:broken/control") is None
    assert "RuntimeError" in tree.said
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert tree.source("keyring:nightdesk/control") is None
    assert "nightdesk[keyring]" in tree.said


@pytest.mark.parametrize("source", ["", "file:", "vault:x", CANARY, "File:x"])
def test_another_source_is_refused_without_being_quoted(tree: Tree, source: str) -> None:
    """Somebody may have written the secret itself."""
    assert tree.source(source) is None
    assert "file:…, credential:…, keyring:…, command:…" in tree.said


@pytest.mark.parametrize(
    "body", [f'{NAME} = "{CANARY}"', f'[{NAME}]\nvalue = "{CANARY}"', f'[{NAME}]\nfrom = ["{CANARY}"]']
)
def test_a_secret_written_into_the_file_is_refused_without_being_quoted(tree: Tree, body: str) -> None:
    found, _ = tree.read(body)
    assert found == {} and tree.problems and CANARY not in tree.said


def test_what_is_set_twice_is_refused(tree: Tree, key: Path) -> None:
    body = f'[{NAME}]\nfrom = "file:{key}"'
    for given in ({"variables": {NAME: "x"}}, {"dotenv": {NAME: "x"}}):
        assert tree.read(body, **given)[0] == {}
        assert "remove it there" in tree.said


def test_the_environment_may_be_its_source_and_only_its_date_stands_there(tree: Tree) -> None:
    found, (rotation,) = tree.read(f'[{NAME}]\nfrom = "environment"\nrotated = 2026-11-01', {NAME: CANARY})
    assert (found, tree.problems) == ({}, [])
    assert (rotation.name, rotation.days, rotation.is_due) == (NAME, 20, False)


@pytest.mark.parametrize(
    ("days", "due", "too_old"),
    [
        (0, False, False),
        (ROTATE_DAYS - 1, False, False),
        (ROTATE_DAYS, True, False),
        (TOO_OLD_DAYS, True, False),
        (TOO_OLD_DAYS + 1, True, True),
    ],
)
def test_a_secret_is_due_at_75_days_and_too_old_beyond_90(tree: Tree, days: int, due: bool, too_old: bool) -> None:
    rotated = TODAY - timedelta(days=days)
    _, (rotation,) = tree.read(f'[{NAME}]\nfrom = "environment"\nrotated = {rotated}')
    assert (rotation.days, rotation.is_due, rotation.is_too_old) == (days, due, too_old)
    assert f"{days} days old" in rotation.text


def test_a_secret_without_a_date_counts_as_too_old(tree: Tree) -> None:
    _, (rotation,) = tree.read(f'[{NAME}]\nfrom = "environment"')
    assert rotation.is_due and rotation.is_too_old and "no date" in rotation.text


def test_the_file_of_another_environment_is_refused_unread(tree: Tree, key: Path) -> None:
    tree.path.write_text(f'env = "live"\n[{NAME}]\nfrom = "file:{key}"')
    problems: list[Problem] = []
    assert read_secrets(tree.path, "paper", Sources({}, {}, {}), NOW_NS, problems) == ({}, ())
    assert 'must be "paper"' in str(problems[0])


@pytest.mark.parametrize(
    ("rotated", "why"),
    [('"yesterday"', "like 2026-11-01"), ("2027-07-01", "lies in the future"), ("7.5", "like 2026-11-01")],
)
def test_a_date_that_cannot_be_is_refused_with_an_example(tree: Tree, rotated: str, why: str) -> None:
    tree.read(f'[{NAME}]\nfrom = "environment"\nrotated = {rotated}')
    assert why in tree.said and "rotated" in tree.said
