"""What a run leaves behind: the log, the event stream, the session log, and at the end its figures and its report.

Everything here is told after the journal has it. A file that cannot be written never stops the desk: lost lines are
counted, and a failing artifact is named in the report.
"""

import json
import logging
from typing import Final, TextIO

import msgspec

from engine.core.calendar import Calendar
from engine.core.config import MINUTE, SECOND
from engine.core.events import SessionPhase
from engine.core.view import DeskView, halts
from engine.review.conditions import ConditionsMet
from engine.review.dealing import Dealings, OrderDay
from engine.review.performance import Performing
from engine.review.report import RunFigures, final_report
from engine.session import stream
from engine.session.artifacts import Results, write_end, write_start
from engine.session.days import Days
from engine.session.dead_letters import DeadLetters, Operation, ReportPayload
from engine.session.fill_times import FillTimes
from engine.session.lines import log_line, overflow_line, status_line
from engine.session.logs import SystemLog
from engine.session.notes import note
from engine.session.plan import Plan
from engine.session.ports import Batch, SignedHead
from engine.session.scrub import Scrubber
from engine.session.shell import Shell
from engine.session.weeks import Weeks

RECORD_SECONDS: Final = 10.0

log = logging.getLogger("session")


class Outputs:
    """The files of one run. Made before the run, finished after its last batch.

    Attributes:
        stacks: Where a watchdog writes every thread's stack, opened now so that a full disk cannot hide a freeze.
        days: The artifacts of the trading days.
        weeks: The summaries of the weeks that are over.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        virtual = plan.clock.kind == "virtual"
        scrubber = Scrubber(plan.secrets)
        folder = plan.folder
        self.stacks: TextIO = (folder.path / "stacks.txt").open("w")
        (folder.path / "stacks.txt").chmod(0o600)
        self._log = SystemLog(plan.home.system_log, plan.env, scrubber, patient=virtual).open()
        self._stream = stream.EventStream(
            folder.events, plan.env, scrubber, patient=virtual, tick_every_ns=MINUTE if virtual else SECOND
        )
        self._session_log = stream.SessionLog(folder.session_log, scrubber, patient=virtual)
        self._scrubber = scrubber
        self._supervisor = plan.supervisor
        self._performing = Performing()
        self._conditions = ConditionsMet()
        self._dealings = Dealings()
        self._dropped = 0
        self._fill_times = FillTimes()
        self.days = Days(plan.store, plan.home.artifacts, given(plan))
        self.weeks = Weeks(plan.store, plan.home.artifacts)

    def holds(self, symbols: frozenset[str], calendar: Calendar) -> None:
        """What was in the market as the run began, and what its trading days are; said before its first fact."""
        self._performing = Performing(calendar, held=symbols)

    def started(self, config: str) -> None:
        """The run has begun: its configuration goes on record."""
        for problem in write_start(self._plan.folder, json.loads(config), self._scrubber):
            log.error("%s", problem)
        told = stream.startup(self._plan.env.upper(), json.loads(config))
        self._stream.append_event(self._plan.clock.now_ns(), told)
        if self._plan.lock.previous is not None:
            log.warning("took over the lock a desk that died left behind: %s", self._plan.lock.previous)

    def written(self, batch: Batch) -> None:
        """A batch is durable: tell what it decided."""
        self._stream.written(batch)
        for seq, fact in batch.facts:
            line = log_line(seq, fact)
            if line is not None:
                line.write()
            told = note(seq, fact)
            if told is not None:
                self._session_log.tell(told)
            self._conditions.take(fact)
            self._dealings.take(fact)
            self._performing.take(fact)
            self._fill_times.take(fact)

    def beat(self, view: DeskView) -> None:
        """One heartbeat: in the stream, in the log, and as a line for people."""
        told = stream.heartbeat(view)
        self._stream.append_event(view.at_ns, told)
        log.info("EVENT: %s", told[0], extra={"meta": told[1]})
        self.tell(view)
        self._supervisor.beat(status_line(view))
        dropped = view.heartbeat.dropped_ticks
        if dropped > self._dropped:
            overflow_line(dropped - self._dropped, dropped).write()
            self._dropped = dropped

    def tell_weeks(self) -> None:
        """The weeks whose summaries were written since this was last called: events of the stream."""
        for told in self.weeks.untold():
            self._stream.append_event(self._plan.clock.now_ns(), stream.week_ended(told))

    def entered(self, phase: SessionPhase) -> None:
        """The session has come to `phase`: whoever supervises the process hears of it."""
        self._supervisor.entered(phase)

    def tell(self, view: DeskView) -> None:
        """The desk on a line for people."""
        self.say(status_line(view))

    def say(self, text: str) -> None:
        """A line for people: in the session log, and on standard output where nobody sees a console."""
        self._session_log.say(text)
        if self._plan.on_line is not None:
            self._plan.on_line(text)

    def last_words(self) -> None:
        """Before a hard exit: get out what is still in memory."""
        self._log.flush(1.0)
        self._session_log.flush()
        self._stream.flush()

    def finish(self, shell: Shell, reason: str, code: int, problems: list[str]) -> list[str]:
        """Write the report and everything beside it; what could not be written, in words."""
        unwritten = [*self._last_weeks(shell), *self._last_days(shell)]
        signed, unsigned = self._sign_head()
        told = msgspec.structs.replace(
            figures(self._plan, shell, reason, code, signed),
            order_to_fill_us=self._fill_times.percentiles(),
            conditions=self._conditions.figures(self._plan.clock.now_ns()),
            dealing=self._dealings.figures(_today(shell), shell.runner.engine.state.tally.stuck),
            lost_lines=self.lost,
            problems=(*problems, *unwritten, *unsigned),
        )
        report = final_report(told)
        results = Results(report, self._performing, shell.build_view())
        failed = [*unwritten, *unsigned, *write_end(self._plan.folder, results, self._scrubber)]
        try:
            if shell.emergency.is_on:
                shell.emergency.report(self._plan.folder.run_id, json.dumps(report))
            else:
                recorded = self._plan.store.record_report(self._plan.folder.run_id, json.dumps(report))
                recorded.result(RECORD_SECONDS)
        except Exception as error:  # whatever keeps it out, the file is there and the reason is told
            failed.append(f"the report is not in the database: {error}")
            self._keep_report(error)
        return failed

    def _last_weeks(self, shell: Shell) -> list[str]:
        """Write the summary of a week that ended since the desk last looked; what could not be written, in words."""
        failed = []
        try:
            self.weeks.write(shell.alert)
        except Exception as error:  # the next start looks again by itself
            failed.append(f"the summary of the week could not be written: {error}")
        self.tell_weeks()
        return failed

    def _last_days(self, shell: Shell) -> list[str]:
        """Write the artifacts of the days that ended and of the one that is on; what could not be written, in words."""
        if shell.emergency.is_on:
            return []  # the next start reads back what the journal lacks, and tells the days of it
        try:
            self.days.write(open_day=True)
        except Exception as error:  # the next start looks again by itself
            return [f"the artifact of the day could not be written: {error}"]
        return []

    def _keep_report(self, error: Exception) -> None:
        """Let the next run record what this one could not."""
        folder, store = self._plan.folder, self._plan.store
        payload = msgspec.json.encode(ReportPayload(folder.run_id, str(folder.final_report))).decode()
        letters = DeadLetters(store, self._plan.clock, {}, lambda where, text, _: log.error("%s: %s", where, text))
        letters.keep(Operation.REPORT, payload, error)

    def _sign_head(self) -> tuple[SignedHead | None, list[str]]:
        """The journal's head as the run leaves it, signed; or why it is not."""
        try:
            return self._plan.store.sign_head("report").result(RECORD_SECONDS), []
        except Exception as error:  # the report is wanted all the same
            return None, [f"the journal's head is not signed: {error}"]

    @property
    def lost(self) -> int:
        """Lines of logs and streams that could not be written so far."""
        return self._log.lost + self._stream.lost + self._session_log.lost

    def close(self, reason: str, code: int) -> None:
        """The last lines, then every file but `stacks`, which the watchdog may need to the last."""
        self._stream.append_event(self._plan.clock.now_ns(), stream.shutdown(reason, code))
        self._stream.close()
        self._session_log.close()
        self._log.close()
        self._supervisor.close()


def given(plan: Plan) -> dict[str, str]:
    """What an artifact tells beside the facts of its day."""
    return {
        "gate_level": plan.gate_level,
        "version": plan.version,
        "venue": plan.venue,
        "broker": plan.broker_name,
        "source": plan.source_name,
        "clock": plan.clock.kind,
    }


def figures(plan: Plan, shell: Shell, reason: str, code: int, signed: SignedHead | None = None) -> RunFigures:
    """Everything the report is made of, as the run ends; the journal's head is the signed one where there is one."""
    engine = shell.runner.engine
    tally = engine.state.tally
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
        net_pnl_pessimistic=view.net_pnl_pessimistic,
        net_pnl_optimistic=view.net_pnl_optimistic,
        rejects=tally.rejects,
        signals_total=tally.signals,
        signals_in_flight=engine.trading.entries.in_flight(),
        signals=tally.ended,
        signal_reasons=tally.reasons,
        market_events=tally.market_events,
        decision_hash=engine.decision_hash,
        journal_head=signed.hash if signed else shell.head,
        journal_rows=signed.row if signed else shell.rows,
        journal_signed=msgspec.to_builtins(signed),
        heartbeat_count=beat.count,
        heartbeat_max_gap_ns=beat.max_gap_ns,
        loop_lag_us=shell.loop_lag_us.percentiles(),
        tick_to_decision_us=shell.decision_us.percentiles(),
        rss_bytes_last=shell.memory.read(),
        rss_bytes_peak=shell.memory.peak,
        rss_bytes_hour=beat.leak_bytes_hour,
        descriptors=beat.descriptors,
        descriptors_hour=beat.descriptors_hour,
        threads=beat.threads,
        unhealthy_beats=beat.unhealthy_beats,
        heartbeat_late_us=shell.beat_late_us.percentiles(),
        dropped_ticks=shell.inbox.dropped,
        gap_count=tally.gaps,
        stale_events=tally.stale,
        commit_us=shell.commit_us.percentiles(),
        data_rejects=tally.data_rejects,
        data_refused=view.data_refused,
        errors=view.errors,
        halts=tuple(halts(view.breakers)),
        positions=view.positions,
        ledger=engine.state.ledger.accounts,
        ledger_equity=engine.trading.bookkeeping.equity(),
        ledger_difference=engine.state.ledger_difference,
        paper_start_day=view.paper_period.start_day if view.paper_period else None,
        paper_days=view.paper_period.days if view.paper_period else None,
        strategies=engine.desk.config.strategies,
        outage_ns=tally.outage_ns,
        outage_fills=tally.outage_fills,
        program=plan.program.fingerprint if plan.program else "",
        program_replaced=plan.program.replaced() if plan.program else (),
        unpinned=plan.unpinned,
    )


def _today(shell: Shell) -> OrderDay:
    state = shell.runner.engine.state
    return OrderDay(state.day, state.day_orders, state.day_rejects)
