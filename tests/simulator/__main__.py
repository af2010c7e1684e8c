"""Run seeds: `python -m tests.simulator --seeds 0-99`. Exit 0: all held; 1: one did not, and is named."""

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from tests.simulator.bugs import BUGS, HINTS
from tests.simulator.run import Outcome, run_seed

BUG_TROUBLE_S: Final = 90.0
LOG_LINES: Final = 60


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seeds", default="0-9", help="one, or a range with both ends: 0-99")
    parser.add_argument("--trouble", type=float, default=180.0, help="simulated seconds of faults")
    parser.add_argument("--kinds", default="", help="faults to choose from, by name, with commas; all if empty")
    parser.add_argument("--bug", default="", help="plant one of the bugs in tests/simulator/bugs.py; all: one by one")
    parser.add_argument("--log", action="store_true", help="show what happened when")
    parser.add_argument("--json", action="store_true", help="one object a seed, and nothing else")
    parser.add_argument("--keep", action="store_true", help="keep the homes, and say where they are")
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    if given.bug:
        return _try_bugs(list(BUGS) if given.bug == "all" else [given.bug], seeds, as_json=given.json)
    kinds = tuple(kind for kind in given.kinds.split(",") if kind)
    outcomes = []
    for outcome in _run(seeds, given.trouble, kinds, keep=given.keep):
        outcomes.append(outcome)
        if given.json:
            print(msgspec.json.encode(outcome).decode(), flush=True)
        else:
            _tell(outcome, log=given.log)
    if not given.json:
        _sum_up(outcomes)
    return int(any(outcome.problem for outcome in outcomes))


def _run(seeds: range, trouble_s: float, kinds: tuple[str, ...], *, keep: bool = False) -> Iterator[Outcome]:
    memory = Path("/dev/shm")
    for seed in seeds:
        folder = Path(tempfile.mkdtemp(prefix=f"sim-{seed}-", dir=memory if memory.is_dir() else None))
        try:
            yield run_seed(seed, folder, trouble_s, kinds)
        finally:
            if keep:
                print(folder)
            else:
                shutil.rmtree(folder, ignore_errors=True)


def _tell(outcome: Outcome, *, log: bool) -> None:
    if log or outcome.problem:
        print(*outcome.log[-LOG_LINES:], sep="\n")
    word = f"FAILED {outcome.problem}" if outcome.problem else "ok"
    print(
        f"seed {outcome.seed}: {word} | {outcome.simulated_s:.0f} s in {outcome.real_s:.2f} s, "
        f"{outcome.events} events, {outcome.entries} entries, {outcome.lives} lives, trace {outcome.trace[:12]}",
        flush=True,
    )


def _sum_up(outcomes: list[Outcome]) -> None:
    used: Counter[str] = Counter()
    for outcome in outcomes:
        used.update(outcome.faults)
    failed = sum(bool(outcome.problem) for outcome in outcomes)
    simulated, real = sum(o.simulated_s for o in outcomes), sum(o.real_s for o in outcomes)
    print(f"{failed} failed; {simulated:.0f} s simulated in {real:.1f} s ({simulated / max(real, 0.001):.0f} x)")
    print("faults:", ", ".join(f"{kind} {count}" for kind, count in sorted(used.items())))


def _try_bugs(names: list[str], seeds: range, *, as_json: bool) -> int:
    """Plant each bug and run seeds until one finds it; 1 if none found one of them."""
    missed = 0
    for name in names:
        with BUGS[name]():
            found = next((o for o in _run(seeds, BUG_TROUBLE_S, HINTS.get(name, ())) if o.problem), None)
        missed += found is None
        if as_json:
            print(msgspec.json.encode({"bug": name, "problem": found.problem if found else ""}).decode())
        else:
            print(f"{name}: {f'seed {found.seed}: {found.problem[:150]}' if found else 'NOT FOUND'}", flush=True)
    return min(missed, 1)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the remains of killed processes must not be cleaned up: see `loop`
