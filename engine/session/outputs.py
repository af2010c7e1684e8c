"""What a run leaves behind: the log, the event stream, the session log, and at the end its figures and its report.

Everything here is told after the journal has it. A file that cannot be written never stops the desk: it is counted and
named in the report.
"""

import logging
from pathlib import Path
from typing import TextIO

from engine.core.view import DeskView
from engine.review.report import RunFigures, final_report
from engine.session.plan import Plan
from engine.session.ports import Batch
from engine.session.shell import Shell

log = logging.getLogger("session")


class Outputs:
    """The files of one run. Made before the run, finished after its last batch."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.stacks: TextIO = (plan.folder.path / "stacks.txt").open("w")

    def started(self, shell: Shell) -> None: ...

    def written(self, batch: Batch) -> None: ...

    def beat(self, view: DeskView) -> None: ...

    def say(self, text: str) -> None: ...

    def last_words(self) -> None: ...

    def finish(self, shell: Shell, reason: str, code: int, rss_peak: int, problems: list[str]) -> list[str]:
        import json

        report = final_report(figures(self._plan, shell, reason, code, rss_peak, problems))
        Path(self._plan.folder.final_report).write_text(json.dumps(report, indent=2))
        self._plan.store.record_report(self._plan.folder.run_id, json.dumps(report)).result()
        self.stacks.close()
        return []


def figures(plan: Plan, shell: Shell, reason: str, code: int, rss_peak: int, problems: list[str]) -> RunFigures:
    """Everything the report is made of, as the run ends."""
    engine = shell.runner.engine
    state, tally = engine.state, engine.state.tally
    view = shell.build_view()
    beat = shell.heartbeat
    return RunFigures(
        run_id=plan.folder.run_id,
        env=plan.env,
        venue=plan.venue,
        broker=plan.broker_name,
        source=plan.source_name,
        clock=plan.clock.kind,
        seed=plan.seed,
        version=plan.version,
        config_hash=plan.config_hash,
        started_ns=shell.started_ns,
        ended_ns=plan.clock.now_ns(),
        duration_ns=view.elapsed_ns,
        reason=reason,
        exit_code=code,
        error_count=tally.errors,
        autonomous=tally.operator_acts == 0,
        starting_equity=tally.starting_equity,
        ending_equity=view.equity,
        starting_unrealized=tally.starting_unrealized,
        ending_unrealized=view.unrealized,
        realized=tally.realized,
        fees=tally.fees,
        funding=tally.funding,
        trades=tally.trades,
        orders=tally.orders,
        fills=tally.fills,
        rejects=tally.rejects,
        signals_total=tally.signals,
        signals_in_flight=len(state.live_signals),
        signals=tally.ended,
        market_events=tally.market_events,
        decision_hash=engine.decision_hash,
        journal_head=shell.head,
        journal_rows=shell.rows,
        heartbeat_count=beat.count,
        heartbeat_max_gap_ns=beat.max_gap_ns,
        loop_lag_us=shell.loop_lag_us.percentiles(),
        tick_to_decision_us=shell.decision_us.percentiles(),
        rss_bytes_peak=rss_peak,
        dropped_ticks=shell.inbox.dropped,
        gap_count=tally.gaps,
        stale_events=tally.stale,
        commit_us=shell.commit_us.percentiles(),
        data_rejects=tally.data_rejects,
        positions=view.positions,
        problems=tuple(problems),
    )
