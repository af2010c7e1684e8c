"""Every fault of the table has a test that names it, or says why it has none."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "faults.md"
SIMULATED = ROOT / "tests" / "simulator" / "trouble.py"
GROUPS = {"FN": 17, "FV": 24, "FT": 11, "FD": 26, "FP": 29, "FO": 18, "FC": 13, "FA": 15, "FS": 22}
REASONS = ("Not yet", "Not here")


def table() -> dict[str, tuple[str, list[str]]]:
    """Of every fault what the desk does, and the names of the tests and simulated faults that show it."""
    rows = {}
    for line in DOCUMENT.read_text().splitlines():
        if re.match(r"\| F[A-Z]-\d\d \|", line):
            fault, _, outcome, shown = (cell.strip() for cell in line.strip("|").split(" | "))
            assert fault not in rows, f"{fault} stands twice"
            rows[fault] = (outcome, re.findall(r"`([^`]+)`", shown))
    return rows


@cache
def functions() -> tuple[tuple[str, str], ...]:
    """Name and docstring of every test, without `test_`, and of every simulated fault."""
    return tuple(_functions())


def _functions() -> Iterator[tuple[str, str]]:
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("test_") or path == SIMULATED:
                yield node.name.removeprefix("test_"), ast.get_docstring(node) or ""


def test_every_fault_is_listed_once_under_its_number() -> None:
    assert sorted(table()) == sorted(f"{group}-{n:02}" for group, size in GROUPS.items() for n in range(1, size + 1))


def test_a_fault_is_shown_by_tests_that_name_it_or_says_why_not() -> None:
    known: dict[str, str] = {}
    for name, text in functions():
        known[name] = known.get(name, "") + text
    for fault, (outcome, shown) in table().items():
        assert bool(shown) is not outcome.startswith(REASONS), (
            f"{fault}: shown by nothing, or by something all the same"
        )
        for name in shown:
            assert name in known, f"{fault}: there is no {name}"
            assert fault in known[name], f"{name} does not say that it shows {fault}"


def test_a_test_that_names_a_fault_is_in_the_table() -> None:
    rows = table()
    for name, text in functions():
        for fault in re.findall(r"\bF[NVTDPOCAS]-\d\d\b", text):
            assert name in rows[fault][1], f"{name} says that it shows {fault}; the table does not"


def test_the_counts_are_those_of_the_table() -> None:
    rows = table()
    first, second = (sum(outcome.startswith(reason) for outcome, _ in rows.values()) for reason in REASONS)
    counts = f"{len(rows)} faults: {len(rows) - first - second} shown, {first} not yet, {second} not here."
    assert counts in DOCUMENT.read_text()
