"""One run of a desk, from opening to its report: the lifecycle, the supervisor of its tasks, the steps at the end.

INITIALIZING -> SEEDING_HISTORY -> RUNNING -> SHUTTING_DOWN -> COMPLETED; a start that cannot be made good ends in
FATAL_ERROR. Connections outlive the tasks until the ten steps are done, and a step that fails does not skip the others.
"""

import asyncio
import gc
import logging
import os
import signal
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from engine.core.config import SECOND
from engine.core.engine import Engine
from engine.core.events import Act, PhaseEntered, SessionPhase
from engine.core.facts import Alert
from engine.core.operator import BY_THE_SHELL
from engine.core.times import until_step
from engine.core.view import CommandReceipt, DeskView
from engine.core.words import AlertKind, BlockReason
from engine.session.alerting.ping import Ping
from engine.session.api.process import ApiProcess
from engine.session.clock import WallClock
from engine.session.control import ControlServer
from engine.session.emergency import Emergency
from engine.session.ending import Ending
from engine.session.failed_start import keep_failed_start
from engine.session.files import replace_file
from engine.session.guard import Guard
from engine.session.logs import log_stray_errors
from engine.session.outputs import Outputs
from engine.session.plan import Plan
from engine.session.ports import CommandRequest, Desk
from engine.session.runner import CoreFailed, Runner
from engine.session.scrub import Scrubber
from engine.session.shell import Shell
from engine.session.starting import StartFailed, Starting
from engine.session.tasks import Tasks
from engine.session.telling import alerts_file, ended_alert, make_alerts, started_text
from engine.session.viewing import RunFacts
from engine.session.volatility import VolatilityReader
from engine.venues.errors import VenueError, VenueGone

if TYPE_CHECKING:
    from engine.session.metrics import MetricsServer

PHASES: Final = {
    SessionPhase.INITIALIZING: (SessionPhase.SEEDING_HISTORY, SessionPhase.SHUTTING_DOWN, SessionPhase.FATAL_ERROR),
    SessionPhase.SEEDING_HISTORY: (SessionPhase.RUNNING, SessionPhase.SHUTTING_DOWN, SessionPhase.FATAL_ERROR),
    SessionPhase.RUNNING: (SessionPhase.SHUTTING_DOWN,),
    SessionPhase.SHUTTING_DOWN: (SessionPhase.COMPLETED, SessionPhase.FATAL_ERROR),
}
"""The drawn transitions; any other raises."""

ACCOUNT_LETTERS: Final = 8  # of the desk's id: enough to tell one account from another
PULSE_NS: Final = 100_000_000

log = logging.getLogger("session")

T = TypeVar("T")


class IllegalPhase(Exception):
    """The session was moved in a way the lifecycle does not know: a bug."""


class Session:
    """Runs one plan on the current event loop. Implements `Desk` for its own process, from any thread."""

    def __init__(self, plan: Plan) -> None:
        self.plan = self._plan = plan
        self._ended = threading.Event()
        self._keep_positions = plan.policy.keep_positions
        self._shell: Shell | None = None
        self._early_stop: tuple[str, int] | None = None
        self.exit_code = 1
        self.failure = ""  # why the start could not be made good
        self._running: dict[asyncio.Task[None], str] = {}
        self._told: set[asyncio.Task[None]] = set()  # tasks of which it is on record how they ended

    # --- the desk, as its operator has it ---

    def view(self) -> DeskView | None:
        return self._shell.view() if self._shell is not None else None

    def command(self, request: CommandRequest) -> Future[CommandReceipt]:
        if self._shell is None or self._ended.is_set():
            future: Future[CommandReceipt] = Future()
            future.set_result(CommandReceipt(False, "the desk is not running"))
            return future
        return self._shell.command(request)

    def stop(self, reason: str, *, keep_positions: bool = False) -> None:
        self._keep_positions = self._keep_positions or keep_positions
        if self._shell is None:
            self._early_stop = (reason, 0)
        elif not self._ended.is_set():
            self._shell.request_stop(reason, 0)

    def ended(self) -> bool:
        return self._ended.is_set()

    # --- the run ---

    async def run(self) -> int:
        """Run to the end; the exit code."""
        try:
            self.exit_code = await self._run()
        finally:
            self._ended.set()
        return self.exit_code

    async def _run(self) -> int:
        plan = self._plan
        self._outputs = Outputs(plan)
        for warning in plan.warnings:
            log.warning("%s", warning)
        self._alerts = make_alerts(plan, self._unanswered)
        self._ping: Ping | None = None
        engine = Engine(plan.make_strategies, plan.store.recovered.snapshot)
        untold: list[tuple[str, AlertKind, str, int]] = []
        for event in plan.store.recovered.tail:
            for item in engine.handle(event):  # the effects of the past are not performed again, but it may be untold
                if isinstance(item, Alert):
                    untold.append((engine.state.run_id, item.kind, item.text, item.at_ns))
        self._alerts.start(untold)
        shell = self._shell = self._make_shell(engine)
        shell.alerting = self._alerts
        self._volatility = VolatilityReader(plan.volatility)
        forget_strays = log_stray_errors(asyncio.get_running_loop(), shell.count_error)
        guard = self._make_guard(shell)
        guard.start()
        self._pulse(guard)
        self._tasks = Tasks(plan, shell, self._outputs, self._volatility)  # what the guard sets is no change to be told
        control = ControlServer(plan.home, self)
        api = shell.endpoint = ApiProcess(plan.api, plan.home) if plan.api else None
        metrics = None
        try:
            await control.start()
            if api is not None:
                api.start()
            metrics = self._serve_metrics()
            await self._live()
        except CoreFailed as failure:
            self._give_up_core(shell, failure)
        except (StartFailed, VenueError, OSError) as failure:  # a file or socket of the start, on a full disk
            self.failure = str(failure)
            keep_failed_start(plan.home, WallClock().now_ns(), Scrubber(plan.secrets).text(self.failure))
            shell.error("start", str(failure), failure)
            shell.stop("start_failed", 1)
        finally:
            code = await self._shut_down(shell)
            shell.end()
            if api is not None:
                await api.close()
            if metrics is not None:
                metrics.close()
            await control.close()
            self._pulse_handle.cancel()
            forget_strays()
            guard.stop()
            self._outputs.stacks.close()
            shell.emergency.close()
        return code

    def _unanswered(self, text: str) -> None:
        """Nobody looks after the desk: it enters nothing until somebody does. From the alerts' own thread."""
        self.command(CommandRequest(Act.BLOCK, BY_THE_SHELL, "nightdesk", text, BlockReason.OPERATOR.value))

    def _serve_metrics(self) -> "MetricsServer | None":
        """Metrics, where they are wanted: what serves them is loaded only then."""
        if self._plan.metrics is None:
            return None
        from engine.session.metrics import MetricsServer

        host, port = self._plan.metrics
        try:
            return MetricsServer(self.view, host, port)
        except OSError as problem:
            raise StartFailed(
                f"metrics cannot be served at {host}:{port}: {problem.strerror}; another desk? Give this one a port of "
                'its own, or metrics = "off" (control.toml, NIGHTDESK_CONTROL_METRICS)'
            ) from problem

    def _make_shell(self, engine: Engine) -> Shell:
        plan, recovered = self._plan, self._plan.store.recovered
        runner = Runner(engine, plan.store.journal, plan.folder.run_id, recovered.next_seq, plan.clock.now_ns)
        run = RunFacts(
            env=plan.env,
            run_id=plan.folder.run_id,
            venue=plan.venue,
            broker=plan.broker_name,
            source=plan.source_name,
            clock=plan.clock.kind,
            seed=plan.seed,
            pid=os.getpid(),
            duration_ns=plan.policy.duration_ns,
            paper_start_day=plan.paper_start_day,
            program=plan.program.fingerprint if plan.program else "",
            account=plan.store.recovered.desk_id[:ACCOUNT_LETTERS],
        )
        record = Emergency(plan.home.emergency, plan.home.ballast)
        shell = Shell(
            runner,
            run,
            plan.clock,
            self._outputs.written,
            self._latched,
            self._alerts.write_alert,
            record,
            recovered.rows,
            recovered.head,
        )
        shell.live, shell.gate_level = plan.live, plan.gate_level
        if self._early_stop is not None:
            shell.stop(*self._early_stop)
        return shell

    def _make_guard(self, shell: Shell) -> Guard:
        def on_kill(source: str) -> None:
            shell.gate.slam()
            shell.command(CommandRequest(Act.KILL, source, "nightdesk", "the kill switch was set"))

        def on_pause(silent_ns: int) -> None:
            shell.paused_ns = self._plan.clock.mono_ns()
            log.warning("the whole process stood still for %.1f s", silent_ns / 1e9)
            shell.alert(AlertKind.PROCESS_PAUSED, f"for {silent_ns / 1e9:.1f} s")

        def last_words(text: str) -> None:
            self._outputs.last_words()
            self._alerts.last_words(AlertKind.WATCHDOG_FATAL, text)

        self._guard = Guard(
            kill_requested=lambda: None if self._was_killed else self._plan.kill_requested(),
            on_kill=on_kill,
            on_pause=on_pause,
            stacks=self._outputs.stacks,
            last_words=last_words,
            frozen_ns=self._plan.policy.frozen_ns,
        )
        self._was_killed = False
        return self._guard

    def _pulse(self, guard: Guard) -> None:
        """Tell the guard that the loop turns, whatever the tasks do, and see that it watches: nobody else would."""
        guard.beat()
        if not guard.is_watching() and self._shell is not None and not self._shell.stopping.is_set():
            self._shell.error("guard", "the guard's thread has ended or hangs")
            self._shell.alert(AlertKind.TASK_FAILED, "the guard's thread has ended or hangs")
            self._shell.stop("task_failed:guard", 1)
        pause_s = until_step(self._plan.clock.mono_ns(), PULSE_NS) / 1e9
        self._pulse_handle = asyncio.get_running_loop().call_later(pause_s, self._pulse, guard)

    def _latched(self, killed: bool) -> Future[bool]:
        """A kill is latched or cleared: make it durable ahead of all that waits. Whether it stands, in the end."""
        self._was_killed = killed
        if killed:
            self._guard.killed()
        latched, stands = self._plan.store.journal.latch(killed, "kill" if killed else "rearm"), Future[bool]()
        latched.add_done_callback(partial(self._latch_settled, killed, stands))
        return stands

    def _latch_settled(self, killed: bool, stands: Future[bool], written: Future[None]) -> None:
        """A latch the journal did not take stands as a file; once a re-arming is on record the file has no say."""
        error, path = written.exception(), self._plan.home.latch_file
        try:
            if killed and error is not None:
                replace_file(path, f"killed; the journal did not take it: {error}\n".encode())
            elif not killed and error is None:
                path.unlink(missing_ok=True)
        except OSError as problem:
            log.critical("the kill latch is in no file either: %s", problem)
            stands.set_result(False)
        else:
            stands.set_result(killed or error is None)

    # --- start ---

    async def _live(self) -> None:
        shell = self._shell
        assert shell is not None
        starting = Starting(self._plan, shell, self._outputs, self._enter)
        if await starting.initialize():  # a kill that came meanwhile stays one
            self._was_killed = True
        if shell.has_begun:
            self._running[asyncio.create_task(shell.pump(), name="pump")] = "pump"
        if not shell.stopping.is_set():
            await starting.seed()
        if shell.stopping.is_set():
            return
        read = self._volatility.read(self._plan.clock.now_ns())
        if read is not None:
            shell.take_now(read)
        if self._plan.broker is not None:
            balance = await starting.or_stop(self._plan.broker.balance())
            if balance is None:
                return
            shell.take_now(balance)
            books = await starting.or_stop(self._plan.broker.books("start"))
            if books is None:
                return
            shell.take_now(books)
        # What a start leaves in memory lives as long as the process. Scanned again and again it would stop the desk for
        # tens of milliseconds at a time, just when an order may be leaving.
        gc.collect()
        gc.freeze()
        self._enter(SessionPhase.RUNNING, "")
        shell.started_ns = self._plan.clock.now_ns()
        shell.running_mono_ns = self._plan.clock.mono_ns()
        shell.phase_text = ""
        shell.alert(AlertKind.RUN_STARTED, started_text(self._plan))
        self._tasks.follow_live_gate()
        for text in self._plan.secrets_due:
            shell.alert(AlertKind.SECRET_DUE, text)
        self._start_ping()
        await self._supervise(shell)

    def _start_ping(self) -> None:
        """From here on whoever listens outside alarms if the desk falls silent."""
        file, url = alerts_file(self._plan), self._plan.outside.ping_url
        if url is not None and self._plan.clock.kind != "virtual":
            self._ping = Ping(url, file.ping_every / SECOND, file.ping_style, self.view)
            self._ping.start()

    def _enter(self, phase: SessionPhase, reason: str, keeps: bool = False) -> None:
        """Move to `phase`; every move is an event of the core's and so on record."""
        shell = self._shell
        assert shell is not None
        previous = shell.phase
        if phase not in PHASES.get(previous, ()):
            raise IllegalPhase(f"{previous} cannot become {phase}")
        shell.take_now(PhaseEntered(self._plan.clock.now_ns(), previous, phase, reason, keeps))
        log.info("%s -> %s %s", previous, phase, reason)
        self._outputs.entered(phase)

    # --- running ---

    async def _supervise(self, shell: Shell) -> None:
        """Run the nine tasks until the session is to stop; the unexpected end of one is such a reason."""
        self._running |= {asyncio.create_task(make(), name=name): name for name, make in self._tasks.all().items()}
        stop = asyncio.create_task(shell.stopping.wait(), name="stop")
        try:
            done, _ = await asyncio.wait([stop, *self._running], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        for task, name in self._running.items():
            if task in done:
                self._tell_end(shell, task, name)

    def _tell_end(self, shell: Shell, task: asyncio.Task[None], name: str) -> None:
        """A task has ended that should not have: on record, and a reason to end the session."""
        self._told.add(task)
        error = task.exception()
        if isinstance(error, CoreFailed):
            self._give_up_core(shell, error)
            return
        if isinstance(error, VenueGone):
            shell.error(name, str(error), error)
            shell.stop("feed_lost", 1)
            return
        text = f"ended unexpectedly: {error!r}" if error else "ended by itself"
        shell.error(name, text, error)
        shell.alert(AlertKind.TASK_FAILED, f"{name} {text}")
        if error is not None:
            log.error("%s failed", name, exc_info=error)
        shell.stop(f"task_failed:{name}", 1)

    def _late_ends(self, shell: Shell) -> list[str]:
        """What tasks raised since the session began to end; none of it is lost."""
        late = [task for task in self._running if task.done() and not task.cancelled() and task not in self._told]
        for task in late:
            if task.exception() is not None:
                self._tell_end(shell, task, self._running[task])
        return [f"{self._running[task]}: {task.exception()!r}" for task in late if task.exception() is not None]

    def _give_up_core(self, shell: Shell, error: BaseException) -> None:
        """The core raised: no order leaves, nothing it believes is written, and the next start rebuilds it."""
        shell.gate.slam()
        shell.broken = True
        log.critical("the core failed, the session ends: %s", error, exc_info=error)
        shell.alert(AlertKind.CORE_FAILED, str(error))
        shell.stop("core_failed", 1)

    # --- the ten steps ---

    async def _shut_down(self, shell: Shell) -> int:
        """End in order, write the report, and say how it ended; the exit code."""
        reason, code = shell.stop_reason or ("error", 1)
        begun = shell.has_begun
        log.info("GRACEFUL SHUTDOWN INITIATED: %s", reason)
        ending = Ending(
            self._plan, shell, self._running, lambda: self._keep_positions, self._enter, lambda: self._late_ends(shell)
        )
        problems = await ending.run(reason, begun=begun)
        if shell.broken:
            problems.append(f"{reason}: what is told here beyond the journal's last row is not durable")
        elif shell.emergency.is_on:
            kept = f"{shell.emergency.batches} batches are in {self._plan.home.emergency.name}"
            problems.append(f"the journal failed: {shell.journal_error}; {kept}, and the next start reads them back")
        if begun:
            problems += self._report(shell, reason, code, problems)
        for problem in problems:
            log.error("at the end: %s", problem)
        if begun and not shell.broken:
            shell.publish()
        told = 1 if problems and code == 0 else code
        await self._end_alerts(reason, told, problems)
        self._outputs.close(reason, code)
        return told

    async def _end_alerts(self, reason: str, code: int, problems: list[str]) -> None:
        """Say how the run ended; what cannot be delivered within seconds waits as dead letters."""
        kind, text = ended_alert(self.view(), reason, code, self.failure, problems)
        self._alerts.write_alert(kind, text)
        if self._ping is not None:
            await asyncio.to_thread(self._ping.stop, code != 0)
        await asyncio.to_thread(self._alerts.close)

    def _report(self, shell: Shell, reason: str, code: int, problems: list[str]) -> list[str]:
        """Write the report; after a failure of the core even its figures may not be had, and that is said."""
        try:
            return self._outputs.finish(shell, reason, code, problems)
        except Exception as error:
            log.exception("the report could not be made")
            return [f"the report could not be made: {error!r}"]


def handle_signals(session: Desk, loop: asyncio.AbstractEventLoop | None) -> None:
    """SIGINT, SIGTERM and SIGHUP end the session in order; a second one changes nothing. Main thread only.

    Without a loop on the main thread plain handlers do it.
    """
    for number, reason in ((signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")):
        stop = partial(session.stop, reason)
        if loop is not None:
            loop.add_signal_handler(number, stop)
        else:
            signal.signal(number, lambda *_, stop=stop: stop())
