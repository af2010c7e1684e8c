"""A validation protocol around the runs of a desk: how it stands, and what its runs left in their folders."""

import inspect
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.core.times import DAY
from engine.core.view import CriterionView, ProtocolView
from engine.review.evidence import Evidence, Files, Fingerprints
from engine.review.injected import judge_faults
from engine.review.moments import instant
from engine.review.protocol import Protocol, judge
from engine.review.protocols import LITERALS
from engine.session.config import Config
from engine.session.home import Home
from engine.session.scrub import Scrubber
from engine.session.settings import BUILT_IN
from engine.strategies import load

_LEFT: Final = frozenset({".json", ".jsonl", ".csv", ".html", ".md", ".log", ".txt"})


def protocol_view(protocol: Protocol, evidence: Evidence) -> ProtocolView:
    """The protocol as it stands by the evidence so far."""
    terms = evidence.terms
    judged = (*judge(protocol, evidence, final=False), *judge_faults(evidence, final=False))
    return at_moment(
        ProtocolView(
            name=protocol.name,
            protocol_id=terms.protocol_id,
            started_ns=evidence.started_ns,
            elapsed_ns=0,
            of_ns=terms.length_ns,
            day=_scheduled_day(evidence),
            days=len(terms.days) or _days_of(terms.length_ns),
            outages=len(evidence.outages_ns),
            rehearsal=terms.rehearsal,
            criteria=tuple(
                CriterionView(one.id, one.text, one.about, one.state, one.measured, one.threshold) for one in judged
            ),
        ),
        evidence.now_ns,
    )


def fingerprints(config: Config, program: str, data: str) -> Fingerprints:
    """What a protocol's result will be bound to. `data` says where the market comes from, contents and all."""
    rules = [[e.id, e.kind, e.params, list(e.symbols), str(e.regimes), str(e.weight)] for e in config.strategies]
    strategy = sha256(json.dumps(rules, sort_keys=True, default=str).encode())
    for entry in config.strategies:
        strategy.update(Path(inspect.getfile(load(entry.kind))).read_bytes())
    return Fingerprints(program, config.rules_hash, strategy.hexdigest(), sha256(data.encode()).hexdigest())


def source_of(config: Config, data: Sequence[Path] = ()) -> str:
    """Where the market comes from, contents and all."""
    if data:
        return f"recorded {_contents(data)}"
    if config.desk.venue == BUILT_IN and not config.venue.rest_url:
        return f"generated, seed {config.desk.seed}"
    return f"{config.desk.venue} at {config.venue.rest_url}"


def _contents(paths: Sequence[Path]) -> str:
    files = sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
    digest = sha256()
    for file in files:
        digest.update(bytes.fromhex(_sha256(file)))
    return digest.hexdigest()


def at_moment(view: ProtocolView, now_ns: int) -> ProtocolView:
    """The same standing, as old as it is by now."""
    if not view.started_ns:
        return view
    elapsed_ns = min(max(now_ns - view.started_ns, view.elapsed_ns), view.of_ns)
    is_by_time = view.days == _days_of(view.of_ns)  # else trading days are counted, as they come
    day = min(elapsed_ns // DAY + 1, view.days) if is_by_time else view.day
    return msgspec.structs.replace(view, elapsed_ns=elapsed_ns, day=day)


def _days_of(length_ns: int) -> int:
    return max(1, -(-length_ns // DAY))


def _scheduled_day(evidence: Evidence) -> int:
    """Which of the scheduled trading days has come; 1 where none are counted."""
    newest = max((day.day for day in evidence.days), default=0)
    return max(1, sum(day <= newest for day in evidence.terms.days))


def files_left(home: Home, evidence: Evidence, scrubber: Scrubber) -> Files:
    """Hash and count what the protocol's runs left, and look for fixed phrases and for secrets in it.

    Raises:
        OSError: a file is there and cannot be read.
    """
    leaks: list[str] = []
    runs = {run.run_id: _hashes(home.run(run.run_id).path, scrubber, leaks) for run in evidence.runs}
    days = sorted(home.artifacts.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].json"))
    return Files(
        runs=runs,
        literals=_literals(home.system_log, instant(evidence.terms.begun_ns) or "", scrubber, leaks),
        leaks=tuple(leaks),
        days={path.stem: _sha256(path) for path in days},
        told={path.stem: _says_why(path) for path in days},
    )


def _hashes(folder: Path, scrubber: Scrubber, leaks: list[str]) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix in _LEFT and path.is_file():
            found[path.name] = _sha256(path)
            if _leaks(path, scrubber):
                leaks.append(f"{folder.name}/{path.name}")
    return found


def _literals(log: Path, since: str, scrubber: Scrubber, leaks: list[str]) -> dict[str, int]:
    """How often each fixed phrase stands in the log and its rotated parts since a moment (ISO 8601)."""
    counts: Counter[str] = Counter()
    for path in sorted(log.parent.glob(f"{log.name}*")):
        leaked = False
        for line in _lines(path):
            if _stamp(line) < since:
                continue
            counts.update(phrase for phrase in LITERALS if phrase in line)
            leaked = leaked or scrubber.finds(line)
        if leaked:
            leaks.append(path.name)
    return {phrase: counts[phrase] for phrase in LITERALS}


def _stamp(line: str) -> str:
    """The moment a log line carries: it stands first in it."""
    return line.partition('"timestamp": "')[2].partition('"')[0]


def _leaks(path: Path, scrubber: Scrubber) -> bool:
    return any(scrubber.finds(line) for line in _lines(path))


def _lines(path: Path) -> Iterable[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from file


def _sha256(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _says_why(path: Path) -> bool:
    """Whether a daily artifact tells why there was no trade that day; one with fills has its trades to tell of."""
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:
        return False
    zero = told.get("zero_trade_day")
    return bool(zero and zero["reason"]) or bool(told.get("trades", {}).get("fills"))
