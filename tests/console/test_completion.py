"""Shell completion: what a real bash offers, and that every shell's script knows every word."""

import shutil
import subprocess
from typing import Any

import pytest

from console.cli import program
from tests.console.conftest import Nightdesk

bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


def offered(script: str, typed: str) -> list[str]:
    """What bash offers at the end of `typed`."""
    asked = f"{script}\nCOMP_WORDS=({typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _nightdesk; "
    asked += 'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "--norc", "-c", asked], capture_output=True, text=True, timeout=60)
    assert not done.stderr, done.stderr
    return done.stdout.split()


@bash
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("nightdesk rep", ["replay", "report"]),
        ("nightdesk re", ["resume", "rearm", "reset-breaker", "reconcile", "replay", "report", "remote"]),
        ("nightdesk audit ve", ["verify"]),
        ("nightdesk --home /x --json audit --env live ver", ["verify"]),
        ("nightdesk audit verify --he", ["--head", "--heads", "--help"]),
        ("nightdesk stop --reason stop --ke", ["--keep-positions"]),
        ("nightdesk stop --no-", ["--no-wait"]),
        ("nightdesk replay latest --ver", ["--verify"]),
        ("nightdesk remote kill --u", ["--url"]),
        ("nightdesk status --env ''", ["paper", "live"]),
        ("nightdesk status --env l", ["live"]),
        ("nightdesk run --data ''", []),
        ("nightdesk completion ''", ["bash", "zsh", "fish", "--home", "--env", "--json", "--help"]),
    ],
)
def test_bash_offers_what_may_follow(typed: str, words: list[str], nightdesk: Nightdesk) -> None:
    code, script, _ = nightdesk("completion", "bash")
    assert code == 0 and offered(script, typed) == words


@bash
def test_bash_knows_the_script_for_the_program(nightdesk: Nightdesk) -> None:
    script = nightdesk("completion", "bash")[1]
    done = subprocess.run(["bash", "--norc", "-c", f"{script}\ncomplete -p nightdesk"], capture_output=True, text=True)
    assert "-F _nightdesk nightdesk" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_knows_every_command_and_option(shell: str, nightdesk: Nightdesk) -> None:
    script = nightdesk("completion", shell)[1]
    words = set(script.replace('"', " ").replace("'", " ").split())

    def walk(command: Any) -> None:
        for option in command.params:
            for name in option.opts if option.param_type_name == "option" else ():
                assert name in words or f"-l {name.removeprefix('--')}" in script, name
        for name, child in getattr(command, "commands", {}).items():
            assert name in words
            walk(child)

    for name, child in program().commands.items():
        assert name in words
        walk(child)
    assert script.startswith("#compdef nightdesk") is (shell == "zsh")


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
def test_fish_reads_its_script(nightdesk: Nightdesk) -> None:
    script = nightdesk("completion", "fish")[1] + "complete -C 'nightdesk audit ver'"
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True)
    assert done.stdout.split("\t")[0] == "verify" and not done.stderr


def test_another_shell_is_refused(nightdesk: Nightdesk) -> None:
    code, _, err = nightdesk("completion", "csh")
    assert code == 2 and "bash, zsh, fish" in err
