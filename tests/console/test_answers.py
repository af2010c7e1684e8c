"""The declared answers: complete, shipped as a schema, strict. All other tests of commands are held to them too."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from console.answers.catalogue import ANSWERS, problem, schema, schema_text
from console.answers.codes import CODES, codes_of
from console.answers.page import commands, page
from console.cli import program
from console.exits import Exit
from tests.console.conftest import Nightdesk

DOCS = Path(__file__).parents[2] / "docs"
PAGE, SHIPPED = DOCS / "commands.md", DOCS / "commands.schema.json"


def test_every_command_has_its_answer_declared() -> None:
    known = [path for path, _ in commands("", program())]
    assert sorted(ANSWERS) == sorted(known) == sorted(CODES)


@pytest.mark.parametrize("command", CODES)
def test_every_command_says_when_it_ends_with_which_code(command: str) -> None:
    codes = codes_of(command)
    assert {Exit.DONE, Exit.ERROR, Exit.USAGE} <= set(codes) and all(codes.values()) and list(codes) == sorted(codes)


def test_the_page_of_commands_is_what_the_program_says() -> None:
    assert PAGE.read_text() == page(), "make it anew: .venv/bin/python docs/commands.py"


@pytest.mark.parametrize("command", CODES)
def test_every_command_has_an_example_on_the_page(command: str) -> None:
    section = page().partition(f"## nightdesk {command}\n")[2].partition("\n## ")[0]
    assert f"\nnightdesk {command}" in section and "| exit code | when |" in section


def test_the_shipped_schema_is_what_is_declared() -> None:
    assert SHIPPED.read_text() == schema_text(), "make it anew: .venv/bin/python docs/commands.py"


def test_every_type_a_schema_refers_to_is_in_it() -> None:
    text = json.dumps(schema())
    told = {part.partition('"')[0] for part in text.split("#/$defs/")[1:]}
    assert told == set(schema()["$defs"])


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("clean", '{"removed": [], "would_remove": [], "bytes": 0, "more": 1}'),
        ("clean", '{"removed": [], "would_remove": []}'),
        ("clean", '{"removed": [], "would_remove": [], "bytes": "0"}'),
        ("clean", "no json"),
        ("runs", '[{"run_id": "r"}]'),
        ("errors", '[{"row":1,"fingerprint":"","place":"","text":"","count":1,"first_ns":0,"last_ns":0,"x":1}]'),
        ("audit query", '{"id": 1}\n{"id": 2}'),
        ("remote key", '{"key": "x"}'),
        ("no such", "{}"),
    ],
)
def test_an_answer_with_other_keys_or_types_is_told(command: str, text: str) -> None:
    assert problem(command, text)


def test_any_command_may_be_refused() -> None:
    refused = '{"error": "no", "exit_code": 2}'
    assert not any(problem(command, refused) for command in ANSWERS)


def test_a_run_answers_with_its_report_and_its_books_with_theirs(nightdesk: Nightdesk, tmp_path: Path) -> None:
    run = [sys.executable, "-m", "console", "run", "--headless", "--speed", "max", "--duration", "20m", "--json"]
    done = subprocess.run([*run, "--home", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0 and not problem("run", done.stdout.splitlines()[-1]), done.stderr
    for command in (
        *(
            "runs",
            "explain last",
            "errors",
            "replay latest",
            "replay latest --verify",
            "replay latest --from 2020-01-01",
        ),
        *("audit verify", "audit head", "audit query --limit 1000", "audit export out", "audit prune --older-than 1d"),
        *("status", "doctor", "clean", "config check", "config show", "dead-letters list --all", "dead-letters retry"),
        *("alert list", "rearm", "rearm --reason x --confirm y", "completion bash", "kill"),
    ):
        _, out, _ = nightdesk(*command.split(), "--json")  # which holds the answer to what is declared
        assert out and (command in ("status", "kill") or "exit_code" not in json.loads(out.splitlines()[0])), command


def test_the_venue_says_its_ports() -> None:
    with subprocess.Popen([sys.executable, "-m", "console", "venue"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and not problem("venue", process.stdout.readline())
        finally:
            process.terminate()
