"""`python -m benchmarks.peers --python PATH`: Nightdesk and its peers on the same ticks, medians of five rounds.

PATH is a Python that has nautilus_trader, backtrader and hftbacktest; they are no dependency of Nightdesk, and one that
is missing is skipped. `--install` makes such a Python in a temporary folder instead. A whole sitting takes ten
minutes on an idle machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.peers.job import TICKS_AN_HOUR
from benchmarks.peers.sitting import Failed, Program, Run, measure, rest, version, written

HOURS: Final = 72
PINNED: Final = {"nautilus_trader": "1.221.0", "backtrader": "1.9.78.123", "hftbacktest": "2.4.4"}
AGREE_PERCENT: Final = 5
TITLES: Final = (
    "Program",
    "Ticks",
    "Ticks/s, median",
    "Range",
    "Times Nightdesk",
    "Processor time a tick",
    "Times Nightdesk by it",
    "Peak memory",
    "Round trips",
    "Others' cores",
)
PROGRAMS: Final = (
    Program("Nightdesk", "benchmarks.peers.nightdesk"),
    Program("Nightdesk, one execution profile", "benchmarks.peers.nightdesk", variant="once"),
    Program("NautilusTrader", "benchmarks.peers.nautilus", "nautilus_trader"),
    Program("backtrader", "benchmarks.peers.backtrader", "backtrader", hours=6),
    Program("hftbacktest", "benchmarks.peers.hftbacktest", "hftbacktest"),
    Program("Nightdesk, shipped limits", "benchmarks.peers.nightdesk", variant="shipped", judged=False),
)


def main(arguments: Sequence[str]) -> int:
    """Run a sitting as asked; 1 if a program failed or traded otherwise than the prices say."""
    asked = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="nightdesk-peers-") as folder:
        python = install(Path(folder) / "venv") if asked.install else asked.python
        versions = {package: version(python, package) if python else "" for package in PINNED}
        for package, found in versions.items():
            print(f"{package} {found}" if found else f"{package} is missing: skipped", flush=True)
        programs = [each for each in PROGRAMS if not each.package or versions[each.package]]
        spans = {each.name: min(each.hours or asked.hours, asked.hours) for each in programs}
        ticks = Path(folder) / "ticks"
        expected = written(ticks, sorted({asked.hours, *spans.values()}))
        try:
            runs = sit(asked, python, programs, ticks, spans)
        except Failed as error:
            print(error, file=sys.stderr)
            return 1
    print(table(programs, runs))
    if asked.json:
        asked.json.write_text(
            json.dumps({"versions": versions, "runs": [run._asdict() for run in runs]}, indent=1) + "\n"
        )
    wrong = [line for each in programs if each.judged for line in disagreement(each, runs, expected[spans[each.name]])]
    print("\n".join(wrong) or f"All judged programs made the trades the prices give: {sum(expected[asked.hours])}.")
    return 1 if wrong else 0


def sit(
    asked: argparse.Namespace, python: Path, programs: Sequence[Program], ticks: Path, spans: Mapping[str, int]
) -> list[Run]:
    """Every program once a round; each round waits for the machine to calm down, as long as patience lasts."""
    runs = []
    patience = asked.patience * 60.0
    for number in range(1, asked.rounds + 1):
        patience -= rest(asked.load, patience)
        print(f"round {number}: load {os.getloadavg()[0]:.2f}", flush=True)
        for program in programs:
            own = python if program.package else Path(sys.executable)
            run = measure(own, program, ticks, spans[program.name], number)
            print(f"  {run.program}: {run.rate:,.0f} ticks/s, others used {run.others:.2f} cores", flush=True)
            runs.append(run)
    return runs


def table(programs: Sequence[Program], runs: Sequence[Run]) -> str:
    """Medians as a Markdown table; both ratios are to the first program, above 1 where the other is faster.

    The ratio by processor time is the one to trust when others used the machine as well.
    """
    lines = [f"| {' | '.join(TITLES)} |", "|---" * len(TITLES) + "|"]
    base = base_us = 0.0
    for program in programs:
        own = [run for run in runs if run.program == program.name]
        rates = [run.rate for run in own]
        median = statistics.median(rates)
        cpu_us = statistics.median(run.cpu_us for run in own)
        base, base_us = base or median, base_us or cpu_us
        cells = (
            program.name,
            f"{own[0].told['ticks']:,}",
            f"{median:,.0f}",
            f"{min(rates):,.0f} to {max(rates):,.0f}",
            f"{median / base:.3g}",
            f"{cpu_us:.3g} µs",
            f"{base_us / cpu_us:.3g}",
            f"{statistics.median(run.told['peak_mb'] for run in own):,.0f} MB",
            f"{sum(own[0].told['trades'])}",
            f"{statistics.median(run.others for run in own):.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def disagreement(program: Program, runs: Sequence[Run], expected: Sequence[int]) -> list[str]:
    """What is wrong with a program's trades, if they are further from `expected` than `AGREE_PERCENT`."""
    return [
        f"{program.name}: {trades} round trips, the prices give {sum(expected)}"
        for trades in sorted({sum(run.told["trades"]) for run in runs if run.program == program.name})
        if abs(trades - sum(expected)) * 100 > AGREE_PERCENT * sum(expected)
    ]


def install(folder: Path) -> Path:
    """A new environment in `folder` with what can be installed of the peers; its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    for package, pinned in PINNED.items():
        command = [str(python), "-m", "pip", "install", "--quiet", f"{package}=={pinned}"]
        if subprocess.run(command, check=False).returncode:
            print(f"{package} {pinned} could not be installed", file=sys.stderr)
    return python


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--python", type=Path, help="a Python that has the peers")
    parser.add_argument("--install", action="store_true", help="make one in a temporary folder, with pip")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hours", type=int, default=HOURS, help=f"hours of ticks, {TICKS_AN_HOUR:,} each")
    parser.add_argument("--load", type=float, default=1.1, help="load average at which a round begins")
    parser.add_argument("--patience", type=float, default=20, help="minutes to wait for that, in all")
    parser.add_argument("--json", type=Path, help="write every run here")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
