"""Validation protocols: fix the terms, run the desk, judge the record, sign the verdict.

A protocol is on record before its first run and belongs to the desk's journal, so whatever ends the process, the same
command goes on where it ended. It is judged once, from the record alone, when its time is over or cannot become good.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from console import say
from console.assemble import played_days, run_desk, secrets_of, strategy_files
from console.commands.settings import read
from console.commands.where import Where
from console.exits import Exit, Quit
from console.options import RunOptions, Speed
from engine.core.calendar import Calendar, TradingDay
from engine.core.times import DAY, MINUTE, SECOND, stretch
from engine.core.view import ProtocolView
from engine.review.evidence import Evidence, Injected, Terms, Thresholds
from engine.review.injected import judge_faults, next_outage, schedule
from engine.review.protocol import Protocol, Verdict, sentences, terms_hold, told, verdict
from engine.review.protocols import PROTOCOLS
from engine.session.clock import WallClock
from engine.session.config import Config
from engine.session.files import replace_file
from engine.session.home import run_id
from engine.session.layers import Override
from engine.session.lock import DeskLock, Holder
from engine.session.program import Program
from engine.session.scrub import Scrubber
from engine.session.settings import BUILT_IN, ValidationFile
from engine.session.validation import files_left, fingerprints, protocol_view, source_of
from store.database import holds_desk
from store.desk import Store, open_store
from store.evidence import gather
from store.verdicts import Begun, SignedStatement, protocols, statement_of

ENDED_BY_TIME: Final = frozenset({"duration_complete", "data_complete"})
NEXT_BAR: Final = MINUTE


class Asked(msgspec.Struct, frozen=True):
    """What `nightdesk validate` was asked beside the protocol's name; None or empty: as configured."""

    tree: Path | None = None
    data: Sequence[Path] = ()
    speed: Speed = 1
    seed: int | None = None
    symbols: str | None = None
    strategy: str | None = None
    days: int | None = None
    faults: bool = False
    restart: bool = False


class Watch:
    """How a protocol stands by the record, for whoever looks at the running desk."""

    def __init__(self, path: Path, protocol: Protocol, terms: Terms, row: int) -> None:
        self._path = path
        self._protocol = protocol
        self._terms = terms
        self._row = row

    def look(self) -> ProtocolView:
        return protocol_view(self._protocol, gather(self._path, self._terms, self._row))


def validate(where: Where, name: str, asked: Asked) -> Exit:
    """Run a protocol, or go on with it; exit code 5 where its verdict is no pass.

    Raises:
        Quit: another protocol is under way, or this one under other terms.
    """
    protocol = PROTOCOLS[name]
    config = _config(where, asked, protocol)
    wanted = _terms(where, config, protocol, asked)
    where.home.create()
    with books_alone(where) as store:
        begun = _continued(where, store, protocol, wanted, asked) or _begin(store, wanted)
    evidence = gather(where.home.database, begun.terms, begun.row)
    while not _is_settled(protocol, evidence, WallClock().now_ns()):
        watch = Watch(where.home.database, protocol, begun.terms, begun.row)
        code = run_desk(config, _stretch(_options(where, config, asked), evidence, watch))
        evidence = gather(where.home.database, begun.terms, begun.row)
        if not code and _is_away(evidence):
            continue
        if not _has_ended(protocol, evidence, code):
            return _told_pause(where, protocol_view(protocol, evidence), code)
        break
    return _conclude(where, config, protocol, begun)


def check(where: Where, protocol_id: str) -> Exit:
    """Judge a finished protocol again, from the database alone; exit code 5 for no pass, or another one than then."""
    path = where.home.database
    ended = [one for one in protocols(path) if one.verdict_row] if holds_desk(path) else []
    chosen = next((one for one in ended if protocol_id in ("", one.terms.protocol_id)), None)
    if chosen is None:
        raise Quit(Exit.USAGE, f"no protocol {protocol_id or 'of this desk'} has ended yet")
    statement = statement_of(path, chosen.terms.protocol_id)
    assert statement is not None  # it has a verdict
    protocol = PROTOCOLS[chosen.terms.protocol]
    evidence = gather(path, chosen.terms, chosen.row, chosen.verdict_row, statement.said.files)
    found = verdict(protocol, evidence, judge_faults(evidence, final=True))
    differences = _differences(found, statement)
    _tell(where, found, differences)
    return Exit.DONE if found.passed and not differences else Exit.FAILED_CHECK


# --- before ---


def _config(where: Where, asked: Asked, protocol: Protocol) -> Config:
    given = {"symbols": asked.symbols, "strategy": asked.strategy, "seed": asked.seed}
    overrides = {f"desk.{key}": Override(f"--{key}", value) for key, value in given.items() if value is not None}
    overrides["desk.duration"] = Override(f"validate {protocol.name}", "unlimited")
    return read(where, asked.tree, overrides, data=bool(asked.data))


def _terms(where: Where, config: Config, protocol: Protocol, asked: Asked) -> Terms:
    """All that is fixed before the start."""
    now_ns = WallClock().now_ns()
    limits, source = thresholds_of(config.validation), source_of(config, asked.data)
    days, length_ns = _days(where, config, protocol, asked, now_ns)
    program = Program(others=strategy_files(config)).fingerprint
    return Terms(
        protocol_id=f"{protocol.name}-{run_id(now_ns)}",
        protocol=protocol.name,
        env=config.env,
        begun_ns=now_ns,
        length_ns=length_ns,
        clock="virtual" if asked.speed == "max" else "wall" if asked.speed == 1 and not asked.data else "scaled",
        speed=str(asked.speed),
        source=source,
        seed=config.desk.seed,
        rehearsal=_rehearsal(config, asked),
        faults=_faults(asked, length_ns),
        fingerprints=fingerprints(config, program, source),
        thresholds=limits,
        criteria=sentences(protocol, limits),
        days=days,
    )


def thresholds_of(file: ValidationFile) -> Thresholds:
    """The configured numbers a protocol is judged by."""
    return Thresholds(
        uptime_min=file.uptime_min_percent,
        errors_max_per_day=file.errors_max_per_day,
        drawdown_max=file.drawdown_max_percent,
        trades_min=file.trades_min,
        win_rate_min=file.win_rate_min_percent,
        sharpe_min=file.sharpe_min,
        outage_max_ns=file.outage_max,
        outages_max=file.outages_max,
        memory_max_bytes=file.memory_max_mb * 1_000_000,
    )


def _days(where: Where, config: Config, protocol: Protocol, asked: Asked, now_ns: int) -> tuple[tuple[int, ...], int]:
    """The scheduled trading days of a protocol that counts them, and how long it lasts: a little beyond the last one,
    so that its end is on record.

    Raises:
        Quit: it does not count days, or not as many.
    """
    if protocol.days is None:
        if asked.days is not None:
            raise Quit(Exit.USAGE, f"--days: {protocol.name} lasts {stretch(protocol.length_ns)}")
        return (), protocol.length_ns
    count, (fewest, most) = asked.days or protocol.length_ns // DAY, protocol.days
    if not fewest <= count <= most:
        raise Quit(Exit.USAGE, f"--days {count}: an audit lasts {fewest} to {most} trading days")
    if asked.data and asked.speed != "max":
        raise Quit(Exit.USAGE, "--data: an audit of recorded days is rehearsed with --speed max")
    calendar, begin_ns = Calendar(), now_ns
    if asked.speed == "max":
        begin_ns, calendar = played_days(config, _options(where, config, asked))
    days: list[TradingDay] = [calendar.day_at(begin_ns)]
    while len(days) < count:
        days.append(calendar.day_at(days[-1].end_ns))
    return tuple(day.number for day in days), days[-1].end_ns - begin_ns + MINUTE


def _faults(asked: Asked, length_ns: int) -> tuple[Injected, ...]:
    """What is to be broken on purpose."""
    if asked.faults and asked.speed != "max":
        raise Quit(Exit.USAGE, "--faults: faults are injected into a market that is played with --speed max")
    return schedule(length_ns) if asked.faults else ()


def _rehearsal(config: Config, asked: Asked) -> tuple[str, ...]:
    """Everything that keeps the result from ever unlocking live trading."""
    why = ["a market played from files"] if asked.data else []
    why += ["the built-in venue's simulated market"] if config.desk.venue == BUILT_IN and not asked.data else []
    return (*why, *(["a clock that is not the wall's"] if asked.speed != 1 else []))


def _continued(where: Where, store: Store, protocol: Protocol, wanted: Terms, asked: Asked) -> Begun | None:
    """The protocol to go on with; None to begin one."""
    begun = next((one for one in protocols(where.home.database) if not one.verdict_row), None)
    if begun is None:
        return None
    name, evidence = begun.terms.protocol_id, gather(where.home.database, begun.terms, begun.row)
    changed = ("protocol",) if begun.terms.protocol != protocol.name else terms_hold(evidence, wanted)
    if not changed and not asked.restart:
        say.aside(
            f"nightdesk: {name} goes on: {stretch(evidence.elapsed_ns)} of {stretch(begun.terms.length_ns)} are over"
        )
        return begun
    if not asked.restart:
        raise Quit(
            Exit.ERROR,
            f"{name} is under way, and its {', '.join(changed)} would change: go on with it as it was fixed, or "
            "--restart ends it as failed and begins anew",
        )
    found = verdict(PROTOCOLS[begun.terms.protocol], _whole(where, begun, NO_SECRETS))
    given_up = msgspec.structs.replace(found, passed=False, exit="given up")
    store.record_verdict(given_up, _files(where, begun, NO_SECRETS), WallClock().now_ns()).result()
    return None


def _begin(store: Store, terms: Terms) -> Begun:
    """Fix the terms: from here on they are in the journal and signed."""
    store.record_protocol(terms).result()
    return next(one for one in protocols(store.path) if one.terms.protocol_id == terms.protocol_id)


def _options(where: Where, config: Config, asked: Asked) -> RunOptions:
    """What every run of the protocol has in common."""
    return RunOptions(
        env=config.env,
        home=where.home,
        venue=config.desk.venue,
        broker=config.desk.broker,
        data=tuple(path.expanduser().absolute() for path in asked.data),
        symbols=config.desk.symbols if asked.symbols or not asked.data else (),
        strategy=config.desk.strategy,
        duration_ns=None,
        speed=asked.speed,
        seed=config.desk.seed,
        headless=True,
        keep_positions=False,
        json=where.json,
        ticks=asked.speed == "max" and not asked.data,
    )


def _stretch(options: RunOptions, evidence: Evidence, watch: Watch) -> RunOptions:
    """The next run: from where the protocol stands to its end, or to the next pause that is planned."""
    terms, started_ns = evidence.terms, evidence.started_ns
    options = replace(options, watch=watch, faults=terms.faults, faults_from_ns=started_ns)
    outage = next_outage(terms.faults, evidence.elapsed_ns)
    until_ns = outage.from_ns if outage else terms.length_ns
    if not started_ns:
        return replace(options, duration_ns=until_ns, keep_positions=outage is not None)
    if terms.clock != "virtual":
        return replace(options, duration_ns=terms.length_ns - (WallClock().now_ns() - started_ns))
    begin_ns = (evidence.now_ns // NEXT_BAR + 1) * NEXT_BAR
    if outage is not None and _is_away(evidence):
        begin_ns = started_ns + outage.from_ns + outage.for_ns
        outage = next_outage(terms.faults, outage.from_ns + outage.for_ns)
        until_ns = outage.from_ns if outage else terms.length_ns
    left_ns = started_ns + until_ns - begin_ns
    return replace(options, begin_ns=begin_ns, duration_ns=left_ns, keep_positions=outage is not None)


def _is_away(evidence: Evidence) -> bool:
    """Whether the protocol stands at the beginning of a planned pause."""
    outage = next_outage(evidence.terms.faults, evidence.elapsed_ns)
    return bool(evidence.started_ns) and outage is not None and evidence.elapsed_ns >= outage.from_ns - SECOND


# --- after ---


def _is_settled(protocol: Protocol, evidence: Evidence, now_ns: int) -> bool:
    """Whether nothing a further run could do would change the outcome: its time is over, or too much of it was lost."""
    if not evidence.started_ns:
        return False
    if evidence.is_over or not protocol.resumes:
        return True
    limits = evidence.terms.thresholds
    pause_ns = now_ns - evidence.now_ns if evidence.terms.clock == "wall" else 0
    counts = protocol.days is None  # an audit asks for its days, not for every minute of them
    return counts and (len(evidence.outages_ns) >= limits.outages_max or pause_ns > limits.outage_max_ns)


def _has_ended(protocol: Protocol, evidence: Evidence, code: int) -> bool:
    report = evidence.report
    if code or report is None or not protocol.resumes:
        return True
    return evidence.is_over or str(report.get("reason")) in ENDED_BY_TIME


def _conclude(where: Where, config: Config, protocol: Protocol, begun: Begun) -> Exit:
    """Judge the whole record once and for all, and keep the verdict in the journal and as a file."""
    scrubber = Scrubber(secrets_of(config))
    evidence = _whole(where, begun, scrubber)
    found = verdict(protocol, evidence, judge_faults(evidence, final=True))
    assert evidence.files is not None
    with books_alone(where) as store:
        store.record_verdict(found, evidence.files, WallClock().now_ns()).result()
    statement = statement_of(where.home.database, found.protocol_id)
    assert statement is not None  # it was just recorded
    where.home.evidence.mkdir(mode=0o700, exist_ok=True)
    file = where.home.evidence / f"{found.protocol_id}.json"
    replace_file(file, msgspec.json.encode(statement) + b"\n")
    _tell(where, found, (), file)
    return Exit.DONE if found.passed else Exit.FAILED_CHECK


def _whole(where: Where, begun: Begun, scrubber: Scrubber) -> Evidence:
    path = where.home.database
    return gather(path, begun.terms, begun.row, files=_files(where, begun, scrubber))


def _files(where: Where, begun: Begun, scrubber: Scrubber) -> Any:
    return files_left(where.home, gather(where.home.database, begun.terms, begun.row), scrubber)


def _differences(found: Verdict, statement: SignedStatement) -> tuple[str, ...]:
    """Where the judgement now differs from the one signed then."""
    wrong = () if statement.is_genuine else ("the signature of the verdict does not hold",)
    then = statement.said.verdict
    before = {one.id: one for one in then.criteria}
    changed = [
        f"{one.id} was {before[one.id].state}, {before[one.id].measured}; now {one.state}, {one.measured}"
        for one in found.criteria
        if one.id in before and (one.state, one.measured) != (before[one.id].state, before[one.id].measured)
    ]
    return (
        *wrong,
        *changed,
        *(("it passed then" if then.passed else "it did not pass then",) if then.passed != found.passed else ()),
    )


def _told_pause(where: Where, view: ProtocolView, code: int) -> Exit:
    from engine.session.status import protocol_json

    if where.json:
        say.as_json(protocol_json(view))
    else:
        say.line(
            f"{view.protocol_id} is not over: {stretch(view.elapsed_ns)} of {stretch(view.of_ns)}, day {view.day} of "
            f"{view.days}; nightdesk validate {view.name} goes on with it"
        )
    return Exit(code)


def _tell(where: Where, found: Verdict, differences: Sequence[str], file: Path | None = None) -> None:
    if where.json:
        say.as_json({**told(found), "differences": list(differences)})
        return
    head = ("list", "", "criterion", "measured", "threshold")
    say.table(
        head, [(one.group, one.state, f"{one.id}: {one.text}", one.measured, one.threshold) for one in found.criteria]
    )
    for line in found.rehearsal:
        say.line(f"REHEARSAL: {line}: it can never unlock live trading")
    say.line(f"reliability {found.reliability}, economics {found.economics}, score {found.score}")
    for text in differences:
        say.line(f"differs from the verdict that was signed: {text}")
    if found.failed:
        say.line(f"failed by {', '.join(found.failed)}")
    say.line(f"{found.protocol_id}: {'PASS' if found.passed else 'FAIL'}: {found.exit}")
    if file is not None:
        say.line(f"verdict: {file}")


NO_SECRETS: Final = Scrubber()


@contextmanager
def books_alone(where: Where) -> Iterator[Store]:
    """The books of a desk that does not run, its lock held. Raises AlreadyRunning."""
    clock = WallClock()
    lock = DeskLock.acquire(where.home.lock, Holder(started_ns=clock.now_ns()))
    try:
        with closing(open_store(where.home.database, where.home.env, clock, threaded=False)) as store:
            yield store
    finally:
        lock.release()
