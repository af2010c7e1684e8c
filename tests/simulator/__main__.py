"""Run seeds: `python -m tests.simulator --seeds 0-99`. Exit 0: all held; 1: one did not, and is named.

Every seed runs in a fork of its own: nothing has to be imported again, and what the desks it killed leave in memory
goes with it.
"""

import argparse
import contextlib
import gc
import os
import select
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Generator
from itertools import islice
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
    parser.add_argument("--jobs", type=int, default=1, help="so many seeds at a time")
    parser.add_argument("--kinds", default="", help="faults to choose from, by name, with commas; all if empty")
    parser.add_argument("--bug", default="", help="plant one of the bugs in tests/simulator/bugs.py; all: one by one")
    parser.add_argument("--log", action="store_true", help="show what happened when")
    parser.add_argument("--json", action="store_true", help="one object a seed, and nothing else")
    parser.add_argument("--keep", action="store_true", help="keep the homes, and say where they are")
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    if given.bug:
        return _try_bugs(list(BUGS) if given.bug == "all" else [given.bug], seeds, jobs=given.jobs, as_json=given.json)
    kinds = tuple(kind for kind in given.kinds.split(",") if kind)
    outcomes = []
    for outcome in _run(seeds, given.trouble, kinds, jobs=given.jobs, keep=given.keep):
        outcomes.append(outcome)
        if given.json:
            print(msgspec.json.encode(outcome).decode(), flush=True)
        else:
            _tell(outcome, log=given.log)
    if not given.json:
        _sum_up(outcomes)
    return int(any(outcome.problem for outcome in outcomes))


def _run(
    seeds: range, trouble_s: float, kinds: tuple[str, ...], *, jobs: int = 1, keep: bool = False
) -> Generator[Outcome, None, None]:
    """The outcomes as they come; several seeds go on at a time."""
    with tempfile.TemporaryDirectory() as passing:
        run_seed(0, Path(passing), 1.0, ("pause",))  # nobody dies; what is made at first use is made before the forks
    gc.collect()
    gc.freeze()  # never garbage, and shared by all seeds
    left, going = iter(seeds), dict[int, _Apart]()
    try:
        while True:
            begun = [_Apart(seed, trouble_s, kinds) for seed in islice(left, jobs - len(going))]
            going |= {one.pipe: one for one in begun}
            if not going:
                return
            for pipe in select.select(list(going), [], [])[0]:
                if not going[pipe].reads():
                    yield going.pop(pipe).ends(keep=keep)
    finally:
        for one in going.values():
            os.kill(one.pid, signal.SIGKILL)
            with contextlib.suppress(SystemExit):
                one.ends(keep=False)


class _Apart:
    """A seed in a fork of this process, which ends without cleaning up after the killed: see `loop`."""

    def __init__(self, seed: int, trouble_s: float, kinds: tuple[str, ...]) -> None:
        self.seed = seed
        memory = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(prefix=f"sim-{seed}-", dir=memory if memory.is_dir() else None))
        self._told = b""
        self.pipe, writing = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            told = b""
            try:
                told = msgspec.msgpack.encode(run_seed(seed, self._folder, trouble_s, kinds))
            except BaseException:
                traceback.print_exc()
            finally:
                with os.fdopen(writing, "wb") as pipe:
                    pipe.write(told)
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)
        os.close(writing)

    def reads(self) -> bool:
        """Take what it tells; False once that is all."""
        part = os.read(self.pipe, 1 << 20)
        self._told += part
        return bool(part)

    def ends(self, *, keep: bool) -> Outcome:
        """Its outcome, with what it used. Raises `SystemExit` where it told none."""
        os.close(self.pipe)
        _, status, used = os.wait4(self.pid, 0)
        if keep:
            print(self._folder)
        else:
            shutil.rmtree(self._folder, ignore_errors=True)
        if not self._told:
            raise SystemExit(f"seed {self.seed}: its process ended with status {status}")
        outcome = msgspec.msgpack.decode(self._told, type=Outcome)
        return msgspec.structs.replace(outcome, core_s=used.ru_utime + used.ru_stime, peak_kib=used.ru_maxrss)


def _tell(outcome: Outcome, *, log: bool) -> None:
    if log or outcome.problem:
        print(*outcome.log[-LOG_LINES:], sep="\n")
    word = f"FAILED {outcome.problem}" if outcome.problem else "ok"
    print(
        f"seed {outcome.seed}: {word} | {outcome.simulated_s:.0f} s in {outcome.core_s:.2f} s of a core, "
        f"{outcome.events} events, {outcome.entries} entries, {outcome.lives} lives, trace {outcome.trace[:12]}",
        flush=True,
    )


def _sum_up(outcomes: list[Outcome]) -> None:
    used: Counter[str] = Counter()
    for outcome in outcomes:
        used.update(outcome.faults)
    failed = sum(bool(outcome.problem) for outcome in outcomes)
    simulated, real, core = (sum(getattr(o, name) for o in outcomes) for name in ("simulated_s", "real_s", "core_s"))
    print(
        f"{failed} failed; {simulated:.0f} s simulated in {core:.1f} s of a core: {simulated / max(core, 0.001):.0f} x"
    )
    print(f"by the wall {real:.1f} s; most memory {max(o.peak_kib for o in outcomes) // 1024} MiB")
    print("faults:", ", ".join(f"{kind} {count}" for kind, count in sorted(used.items())))


def _try_bugs(names: list[str], seeds: range, *, jobs: int, as_json: bool) -> int:
    """Plant each bug and run seeds until one finds it; 1 if none found one of them."""
    missed = 0
    for name in names:
        with BUGS[name](), contextlib.closing(_run(seeds, BUG_TROUBLE_S, HINTS.get(name, ()), jobs=jobs)) as outcomes:
            found = next((o for o in outcomes if o.problem), None)
        missed += found is None
        if as_json:
            print(msgspec.json.encode({"bug": name, "problem": found.problem if found else ""}).decode())
        else:
            print(f"{name}: {f'seed {found.seed}: {found.problem[:150]}' if found else 'NOT FOUND'}", flush=True)
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())
