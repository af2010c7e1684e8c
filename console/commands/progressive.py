"""Stages of live money: one run under the cap of the next stage, judged from its rows, promoted or rolled back."""

import json
from pathlib import Path

import msgspec

from console import say
from console.assemble import run_desk, strategy_files
from console.commands.settings import read
from console.commands.validate import books_alone
from console.commands.where import Where
from console.exits import Exit, Quit
from console.gatekeeping import current, standing_of
from console.options import RunOptions
from engine.review.live_gate import STAGES
from engine.review.stages import StageReport, judge_stage, told
from engine.session.config import Config
from engine.session.files import replace_file
from engine.session.layers import Override
from engine.session.live_gate import why
from engine.session.program import Program
from engine.session.settings import BUILT_IN
from store.gate import read_gate
from store.stages import stage_seen


class Asked(msgspec.Struct, frozen=True):
    """What `nightdesk progressive` was asked; None: as configured."""

    stage: int | None = None
    duration: str | None = None
    venue: str | None = None
    symbols: str | None = None
    strategy: str | None = None
    seed: int | None = None
    tree: Path | None = None


def progressive(where: Where, asked: Asked) -> Exit:
    """Run the next stage to its end and judge it; exit code 5 where it is not passed.

    Raises:
        Quit: it is not live, not the next stage, all are passed, or the live gate allows no order.
    """
    if where.home.env != "live":
        raise Quit(Exit.USAGE, "progressive is for --env live: stages are about live orders")
    given = {name: getattr(asked, name) for name in ("duration", "venue", "symbols", "strategy", "seed")}
    overrides = {f"desk.{key}": Override(f"--{key}", value) for key, value in given.items() if value is not None}
    overrides["desk.broker"] = Override("progressive", "venue")
    config = read(where, asked.tree, overrides)
    if not config.desk.duration:
        raise Quit(Exit.USAGE, "progressive needs --duration: how long the stage lasts")
    stage = _next_stage(where, asked)
    now = current(config, Program(others=strategy_files(config)).fingerprint)
    standing = standing_of(where.home, config, now)
    if not standing.allows or standing.bypassed:
        raise Quit(Exit.FAILED_CHECK, f"stage {stage}: the live gate is {standing.level}: {why(standing)}")
    run_desk(config, _options(where, config))
    model = (config.desk.paper_slippage_min_percent + config.desk.paper_slippage_max_percent) // 2
    report = judge_stage(stage, stage_seen(where.home.database, model, config.desk.venue == BUILT_IN))
    with books_alone(where) as store:
        store.record_gate("stage", str(stage), json.dumps(told(report))).result()
    where.home.evidence.mkdir(mode=0o700, exist_ok=True)
    file = where.home.evidence / f"stage-{stage}-{report.run_id}.json"
    replace_file(file, msgspec.json.encode(report) + b"\n")
    _tell(where, report, file)
    return Exit.DONE if report.passed else Exit.FAILED_CHECK


def _next_stage(where: Where, asked: Asked) -> int:
    passed = read_gate(where.home.database).stage
    if passed >= len(STAGES):
        raise Quit(Exit.USAGE, f"all {len(STAGES)} stages are passed")
    if asked.stage is not None and asked.stage != passed + 1:
        raise Quit(Exit.USAGE, f"--stage {asked.stage}: the next stage is {passed + 1}, and none is skipped")
    return passed + 1


def _options(where: Where, config: Config) -> RunOptions:
    return RunOptions(
        env=config.env,
        home=where.home,
        venue=config.desk.venue,
        broker="venue",
        data=(),
        symbols=config.desk.symbols,
        strategy=config.desk.strategy,
        duration_ns=config.desk.duration,
        speed=1,
        seed=config.desk.seed,
        headless=True,
        keep_positions=False,
        json=where.json,
        is_part=True,
    )


def _tell(where: Where, report: StageReport, file: Path) -> None:
    if where.json:
        say.as_json(told(report))
        return
    rows = [("PASS" if one.passed else "FAIL", one.id, one.measured, one.limit) for one in report.checks]
    say.table(("", "condition", "measured", "limit"), rows)
    if report.stand_in:
        say.line("STAND-IN: the built-in venue stood in for a real one, and no order was real")
    say.line(f"stage {report.stage} of {len(STAGES)}: {'passed' if report.passed else 'not passed'}; {report.next}")
    say.line(f"report: {file}")
