"""Run seeds: `python -m tests.simulator --seeds 0-99`. Exit 0: all held; 1: one did not, and is named."""

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.simulator.bugs import BUGS
from tests.simulator.run import run_seed

BUG_TROUBLE_S = 90.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seeds", default="0-9", help="one, or a range with both ends: 0-99")
    parser.add_argument("--trouble", type=float, default=180.0, help="simulated seconds of faults")
    parser.add_argument("--kinds", default="", help="faults to choose from, by name, with commas; all if empty")
    parser.add_argument("--bug", default="", help="plant this one of the bugs in tests/simulator/bugs.py; all: one by one")
    parser.add_argument("--log", action="store_true", help="show what happened when")
    parser.add_argument("--keep", action="store_true", help="keep the homes")
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    if given.bug:
        return _try_bugs(list(BUGS) if given.bug == "all" else [given.bug], range(int(first), int(last or first) + 1))
    kinds = tuple(kind for kind in given.kinds.split(",") if kind)
    used: Counter[str] = Counter()
    simulated = real = 0.0
    failed = 0
    for seed in range(int(first), int(last or first) + 1):
        folder = _folder(seed)
        outcome = run_seed(seed, folder, given.trouble, kinds)
        used.update(outcome.faults)
        simulated, real = simulated + outcome.simulated_s, real + outcome.real_s
        if given.log or outcome.problem:
            print(*outcome.log[-60:], sep="\n")
        word = f"FAILED {outcome.problem}" if outcome.problem else "ok"
        print(
            f"seed {seed}: {word} | {outcome.simulated_s:.0f} s in {outcome.real_s:.2f} s, {outcome.events} events, "
            f"{outcome.entries} entries, {outcome.lives} lives, trace {outcome.trace[:12]}",
            flush=True,
        )
        failed += bool(outcome.problem)
        if given.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{failed} failed; {simulated:.0f} s simulated in {real:.1f} s ({simulated / max(real, 0.001):.0f} x)")
    print("faults:", ", ".join(f"{kind} {count}" for kind, count in sorted(used.items())))
    return 1 if failed else 0


def _try_bugs(names: list[str], seeds: range) -> int:
    """Plant each bug and run seeds until one finds it; the number of those that none found."""
    missed = 0
    for name in names:
        found = ""
        for seed in seeds:
            folder = _folder(seed)
            try:
                with BUGS[name]():
                    found = run_seed(seed, folder, BUG_TROUBLE_S).problem
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            if found:
                break
        missed += not found
        print(f"{name}: {f'seed {seed}: {found[:150]}' if found else 'NOT FOUND'}", flush=True)
    return min(missed, 1)


def _folder(seed: int) -> Path:
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix=f"sim-{seed}-", dir=memory if memory.is_dir() else None))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
