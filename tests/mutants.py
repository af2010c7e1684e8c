"""The mutation check, `make mutants`: does a test fail for every small change of what keeps the desk safe?

Its ground is the safety layers, the orders, the journal and recovery.
mutmut changes one thing at a time in the functions of the modules named in `pyproject.toml` and runs the tests that
reach it. A change no test notices, a survivor, has to be killed by a test or explained in `mutants_explained.toml`.
Functions are what is mutated; the constants and tables around them are held by tests and by `docs/`, which repeat them.
"""

import gc
import os
import re
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import libcst
from mutmut.__main__ import cli
from mutmut.mutation import file_mutation, mutators
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.runners.harness import PytestRunner
from mutmut.state import state
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files

from tests.sql_case import is_same_sql

MUTMUT: Final = "--mutmut"  # how the script starts itself to be mutmut
WORK: Final = Path("mutants")
EXPLAINED: Final = Path("tests/mutants_explained.toml")
SCORE_MIN: Final = 95
KINDS: Final = {"equivalent": True, "words": True, "open": False}
"""Kinds of explanation, and whether such a survivor is left out of the score: it does the same, it changes only words
for people, or it is a gap that is known."""

AT_IMPORT: Final = frozenset({"engine.core.limits._tier", "engine.core.rule.rule"})
"""Functions that have run before mutmut chooses a mutant: theirs are tested in a process of their own each."""

CHOSEN: Final = "MUTANT_UNDER_TEST"  # mutmut's variable: the mutant of a whole process

KILLED: Final = ("killed", "timeout", "segfault")


class Survivor(NamedTuple):
    """One change that no test noticed: in which function, the line before and after."""

    function: str
    was: str
    now: str


def mutate_decorated_functions() -> None:
    """Teach mutmut the functions below a decorator, which it passes over: every rule is one.

    The decorators stay on the function that chooses the mutant; its copies go without.
    """
    passes_over = file_mutation.MutationVisitor._skip_node_and_children
    arranges = file_mutation.function_trampoline_arrangement

    def skips(self: file_mutation.MutationVisitor, node: libcst.CSTNode) -> bool:
        if isinstance(node, libcst.FunctionDef) and _is_rule(node):
            return False
        return bool(passes_over(self, node))

    def arrangement(function: libcst.FunctionDef, mutants, class_name):  # type: ignore[no-untyped-def]
        if not _is_rule(function):
            return arranges(function, mutants, class_name)
        before, (chooser, *copies), after, names = arranges(function.with_changes(decorators=()), mutants, class_name)
        chooser = chooser.with_changes(decorators=(*function.decorators, *chooser.decorators))
        return before, [chooser, *copies], after, names

    file_mutation.MutationVisitor._skip_node_and_children = skips
    file_mutation.function_trampoline_arrangement = arrangement


def pass_over_sql_in_other_letters() -> None:
    """Keep mutmut from changing the case of SQL, which changes nothing; the literals in it are still changed."""
    changes = mutators.operator_string

    def changed(node: libcst.BaseString) -> Iterable[libcst.BaseString]:
        for new in changes(node):
            if not (
                isinstance(node, libcst.SimpleString)
                and isinstance(new, libcst.SimpleString)
                and is_same_sql(str(node.evaluated_value), str(new.evaluated_value))
            ):
                yield new

    operators = [(kind, changed if change is changes else change) for kind, change in mutators.mutation_operators]
    file_mutation.mutation_operators = operators


def make_haste() -> None:
    """Run the fast tests of a mutant first, which mutmut takes in any order until one fails, and spare them garbage.

    pytest collects garbage five times at its end; all that was there before a mutant's process is taken out of that.
    """
    runs = PytestRunner._pytest_args_regular_run

    def in_order(self: PytestRunner, tests: Iterable[str]) -> list[str]:
        gc.freeze()
        return list(runs(self, sorted(tests, key=lambda test: (state().duration_by_test.get(test, 0.0), test))))

    PytestRunner._pytest_args_regular_run = in_order


def _is_rule(function: libcst.FunctionDef) -> bool:
    """Whether it is decorated with something that only takes a plain function: `rule(...)` or `property`."""
    made = [d.decorator.func if isinstance(d.decorator, libcst.Call) else d.decorator for d in function.decorators]
    return [m.value for m in made if isinstance(m, libcst.Name)] in (["rule"], ["property"])


def run(arguments: list[str]) -> None:
    """Test every mutant that is new; what mutmut says, a line for each, goes to a file."""
    WORK.mkdir(exist_ok=True)
    log = WORK / "mutmut.log"
    print(f"Testing the mutants; follow {log} ...", flush=True)
    with log.open("w") as out:
        subprocess.run([sys.executable, "-m", "tests.mutants", MUTMUT, *arguments], stdout=out, stderr=out, check=True)


def run_at_import() -> None:
    """Test the mutants of functions that run at import."""
    if _tests_fail(""):
        sys.exit(f"the tests fail in {WORK} without any mutant")
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            if _function(name) in AT_IMPORT and status_by_exit_code[code] not in KILLED:
                data.exit_code_by_key[name] = int(_tests_fail(name))
        data.save()


def _tests_fail(mutant: str) -> bool:
    settings = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutmut"]
    command = [sys.executable, "-m", "pytest", "-q", "-x", *settings["pytest_add_cli_args_test_selection"]]
    return subprocess.run(command, cwd=WORK, env={**os.environ, CHOSEN: mutant}, capture_output=True).returncode != 0


def results() -> tuple[dict[str, Counter[str]], list[Survivor]]:
    """How many mutants of each module ended how, and those that live."""
    modules: dict[str, Counter[str]] = {}
    survivors = []
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        if not data.exit_code_by_key:
            continue
        ends = modules[str(path)] = Counter()
        for name, code in data.exit_code_by_key.items():
            status = "killed" if status_by_exit_code[code] in KILLED else status_by_exit_code[code]
            ends[status] += 1
            if status != "killed":
                survivors.append(_survivor(name, get_diff_for_mutant(name, path=path)))
    return modules, survivors


def _survivor(name: str, diff: str) -> Survivor:
    lines = diff.splitlines()[2:]  # below the names of the two files
    was, now = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Survivor(_function(name), was, now)


def _function(mutant: str) -> str:
    """The function a mutant is one of, as it is called in the code."""
    function = ".".join(part for part in re.split(r"[.ǁ]", mutant.partition("__mutmut")[0]) if part != "x")
    return re.sub(r"\.x_(?=[^.]*$)", ".", function)


def report() -> bool:
    """Say what was killed and what lives; False if a survivor is unexplained or the score too low."""
    modules, survivors = results()
    with EXPLAINED.open("rb") as file:
        told = tomllib.load(file)["survivor"]
    known = {Survivor(one["function"], one["was"], one["now"]): one for one in told}
    print(f"\n{'module':36} {'mutants':>7} {'killed':>7} {'lives':>6} {'score':>7}")
    for module, ends in modules.items():
        print(_row(module, ends["killed"], ends.total()))
    killed, mutants = (sum(f(ends) for ends in modules.values()) for f in (lambda e: e["killed"], Counter.total))
    print(_row("all", killed, mutants))
    left_out = sum(KINDS[known[survivor]["kind"]] for survivor in survivors if survivor in known)
    score = 100 * killed / max(1, mutants - left_out)
    print(f"\n{left_out} survivors do the same or change words alone; of the rest {score:.1f} % were killed.")
    for survivor in survivors:
        why = known[survivor]["kind"] + ": " + known[survivor]["why"] if survivor in known else "UNEXPLAINED"
        print(f"\n{survivor.function}: {why}\n  - {survivor.was}\n  + {survivor.now}")
    for gone in known.keys() - set(survivors):
        print(f"\n{gone.function}: explained in {EXPLAINED} and no survivor any more; remove it\n  + {gone.now}")
    unexplained = sum(survivor not in known for survivor in survivors)
    if unexplained:
        print(
            f"\n{unexplained} survivors are not explained: write a test that fails for each, or add it to {EXPLAINED}."
        )
    if score < SCORE_MIN:
        print(f"\n{score:.1f} % is below {SCORE_MIN} %: write tests for the survivors of kind open.")
    return bool(mutants) and not unexplained and score >= SCORE_MIN


def _row(name: str, killed: int, mutants: int) -> str:
    return f"{name:36} {mutants:7} {killed:7} {mutants - killed:6} {100 * killed / mutants:6.1f}%"


if __name__ == "__main__":
    mutate_decorated_functions()
    pass_over_sql_in_other_letters()
    make_haste()
    if sys.argv[1:2] == [MUTMUT]:
        cli(["run", *sys.argv[2:]])
    began = time.monotonic()
    run(sys.argv[1:])
    run_at_import()
    passed = report()
    print(f"\n{'Passed' if passed else 'FAILED'} in {time.monotonic() - began:.0f} s.")
    sys.exit(not passed)
