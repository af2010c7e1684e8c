"""`python -m benchmarks [NAME …]`: run the benches, print every figure beside its budget, exit 1 if one is missed."""

import importlib
import sys
from collections.abc import Callable, Sequence

from benchmarks.figures import Figure

BENCHES: dict[str, str] = {
    "replay": "benchmarks.replay:run",
    "decide": "benchmarks.replay:decide",
    "layers": "benchmarks.layers:run",
    "gate": "benchmarks.live_gate:run",
    "paced": "benchmarks.decision:decide",
    "intent": "benchmarks.decision:intend",
    "kill": "benchmarks.killing:run",
    "watchdog": "benchmarks.watchdog:run",
    "steady": "benchmarks.steady:run",
    "audit": "benchmarks.audit:run",
    "alerts": "benchmarks.alerts:run",
    "recovery": "benchmarks.recovery:run",
    "review": "benchmarks.review:run",
    "endpoint": "benchmarks.endpoint:run",
    "bars": "benchmarks.bars:run",
    "wire": "benchmarks.wire:run",
    "burst": "benchmarks.burst:run",
    "start": "benchmarks.session:starting",
    "live": "benchmarks.session:living",
    "console": "benchmarks.console:run",
    "pages": "benchmarks.pages:run",
    "viewers": "benchmarks.viewers:run",
}


def main(names: Sequence[str]) -> int:
    """Run the named benches, or all; the exit code."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    missed = 0
    for name in names or BENCHES:
        module, _, function = BENCHES[name].partition(":")
        run: Callable[[], list[Figure]] = getattr(importlib.import_module(module), function)
        for figure in run():
            print(figure.line(), flush=True)
            missed += not figure.ok
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
