"""The four tasks that watch the desk itself: loop and machine, the beat, the kill switch, the age of the data."""

import asyncio
import logging
from typing import Final

import msgspec

from engine.core.events import Act, Command
from engine.core.times import stretch, until_step
from engine.core.view import WorkView
from engine.core.words import AlertKind, BlockReason
from engine.session.clock import WallClock
from engine.session.health import unhealthy
from engine.session.interpreter import Settings
from engine.session.lines import MEMORY_EXCEEDED
from engine.session.outputs import Outputs
from engine.session.plan import Plan
from engine.session.program import replaced_text
from engine.session.resources import MEGABYTE, Resources
from engine.session.shell import Shell
from engine.session.work import (
    EXECUTION,
    EXECUTION_LIMIT_NS,
    JOURNAL,
    JOURNAL_LIMIT_NS,
    MARKET_DATA,
    MARKET_DATA_LIMIT_NS,
    WorkLog,
)

BEAT_NS: Final = 1_000_000_000
GAUGE_WINDOW_BEATS: Final = 30  # figures on screen look back half a minute to a minute
LAG_PROBE_NS: Final = 100_000_000
KILL_CHECK_NS: Final = 250_000_000
GUARD_TURN_SECONDS: Final = 0.5  # two of the guard's own periods
ILL_BEATS: Final = 10  # in a row, before anyone is told
WORK_CHECK_PROBES: Final = 10
RESOURCE_CHECK_PROBES: Final = 50
PROGRAM_CHECK_PROBES: Final = 600
STEP_NS_MIN: Final = 1_000_000_000

log = logging.getLogger("session")
watchdog_log = logging.getLogger("watchdog")


class Watching:
    """Watches one session around one shell. `work` is where the other tasks say that they have done something."""

    def __init__(self, plan: Plan, shell: Shell, outputs: Outputs, work: WorkLog) -> None:
        self._plan = plan
        self._shell = shell
        self._outputs = outputs
        self._work = work
        policy = plan.policy
        self._resources = Resources(
            plan.home.dir, plan.clock, shell.memory, policy.memory_max_bytes, policy.disk_min_bytes
        )
        self._settings = Settings()
        self._stepped_ns = 0
        self._was_unhealthy = False
        self._ill_beats = 0  # in a row

    # --- the loop and the machine ---

    async def watchdog(self) -> None:
        """Measure how late the loop is, whether every task does its work, and what the machine has left.

        A slow loop, a stalled task or a full memory ends the session in order; too little room on the disk stops
        entries. A process that stood still as a whole, stopped or suspended, is not slow: it goes on, on fresh data.
        """
        policy, mono = self._plan.policy, self._plan.clock.mono_ns
        self._check_resources()  # before the first quote can lead to an entry
        for probe in range(1, 1 << 62):
            begun_ns = mono()
            due_ns = begun_ns + until_step(begun_ns, LAG_PROBE_NS)
            await asyncio.sleep((due_ns - begun_ns) / 1e9)
            late_ns = mono() - due_ns
            self._shell.loop_lag_us.add(max(0, late_ns) // 1000)
            if late_ns > policy.slow_loop_ns and self._plan.source is None and not await self._was_paused(due_ns):
                self._shell.error("watchdog", f"the loop was {late_ns / 1e9:.1f} s late")
                self._shell.alert(AlertKind.SLOW_LOOP, f"{late_ns / 1e9:.1f} s late")
                self._shell.stop("watchdog", 1)
            self._work.did("watchdog_task")
            if probe % WORK_CHECK_PROBES == 0:
                self._check_work()
            if probe % RESOURCE_CHECK_PROBES == 0:
                self._check_resources()
                self._check_clock()
                self._check_interpreter()
            if probe % PROGRAM_CHECK_PROBES == 0:
                await self._check_program()

    async def _was_paused(self, since_ns: int) -> bool:
        """Whether the guard, once it had its turn, found that the whole process stood still since then."""
        await asyncio.sleep(GUARD_TURN_SECONDS)
        return self._shell.paused_ns > since_ns

    def _check_work(self) -> None:
        """A task that hangs is as good as one that has ended: the session does not go on without it."""
        for work in self._work.stalled():
            text = f"{work.name} has done nothing for {stretch(work.age_ns)}"
            self._shell.error("watchdog", text)
            self._shell.alert(AlertKind.TASK_FAILED, text)
            self._shell.stop(f"task_stalled:{work.name}", 1)

    def _check_resources(self) -> None:
        shell, resources = self._shell, self._resources
        try:
            resources.look()
        except OSError as problem:
            shell.error("watchdog", f"the machine could not be looked at: {problem}", problem)
            return
        if resources.memory_is_full:
            limit = self._plan.policy.memory_max_bytes
            watchdog_log.critical("%s: more than %d MB", MEMORY_EXCEEDED, limit // MEGABYTE)
            shell.alert(AlertKind.MEMORY, f"more than {limit // MEGABYTE} MB")
            shell.stop("memory", 1)
        is_blocked = BlockReason.DISK in shell.runner.engine.state.blocks
        if resources.disk_is_short and not is_blocked:
            shell.act(Act.BLOCK, resources.disk_text, BlockReason.DISK.value)
        elif is_blocked and not resources.disk_is_short:
            shell.act(Act.UNBLOCK, "there is room on the disk again", BlockReason.DISK.value)

    # --- the beat ---

    async def heartbeat(self) -> None:
        """Beat once a second on absolute deadlines; a beat carries what the desk's health is made of."""
        mono = self._plan.clock.mono_ns
        due_ns, last_ns, count, gap_ns = mono(), 0, 0, 0
        while True:
            now_ns = mono()
            count += 1
            gap_ns = max(gap_ns, now_ns - last_ns if last_ns else 0)
            last_ns = now_ns
            self._shell.beat_late_us.add(max(0, now_ns - due_ns) // 1000)
            await self._publish_beat(count, gap_ns)
            self._work.did("heartbeat_task")
            due_ns += BEAT_NS * max(1, (now_ns - due_ns) // BEAT_NS + 1)
            await asyncio.sleep(max(0, due_ns - mono()) / 1e9)

    async def _publish_beat(self, count: int, gap_ns: int) -> None:
        shell, tally, resources = self._shell, self._shell.runner.engine.state.tally, self._resources
        works = self._works()
        ills = unhealthy(shell, works, resources)
        shell.heartbeat = msgspec.structs.replace(
            shell.heartbeat,
            count=count,
            last_ns=self._plan.clock.now_ns(),
            max_gap_ns=gap_ns,
            late_p99_us=shell.beat_late_us.recent(99),
            loop_lag_p50_us=shell.loop_lag_us.recent(50),
            loop_lag_p99_us=shell.loop_lag_us.recent(99),
            loop_lag_max_us=shell.loop_lag_us.max,
            commit_p99_us=shell.commit_us.recent(99),
            decision_p99_us=shell.decision_us.recent(99),
            queue_depth=len(shell.inbox),
            dropped_ticks=shell.inbox.dropped,
            gap_count=tally.gaps,
            stale_events=tally.stale,
            error_count=tally.errors,
            rss_bytes=shell.memory.peak,
            leak_bytes_hour=resources.memory_slope.an_hour(),
            descriptors=resources.descriptors,
            descriptors_hour=resources.descriptors_slope.an_hour(),
            descriptors_max=resources.descriptors_max,
            threads=resources.threads,
            disk_free_bytes=resources.disk_free,
            works=works,
            unhealthy=ills,
            unhealthy_beats=shell.heartbeat.unhealthy_beats + bool(ills),
            warnings=self._warnings(),
        )
        self._tell_health()
        if count % GAUGE_WINDOW_BEATS == 0:
            for gauge in (shell.beat_late_us, shell.loop_lag_us, shell.commit_us, shell.decision_us):
                gauge.turn()
        view = await shell.show()
        if view is not None:
            self._outputs.beat(view)

    def _warnings(self) -> tuple[str, ...]:
        """What a person should know of that is no illness."""
        alerting = self._shell.alerting
        troubles = alerting.troubles() if alerting is not None else ()
        endpoint = self._shell.endpoint
        forged = endpoint.forged if endpoint is not None else 0
        refused = (f"commands refused that were not signed with the control key: {forged}",) if forged else ()
        return (*self._plan.warnings, *self._shell.warnings.values(), *refused, *troubles)

    def _works(self) -> tuple[WorkView, ...]:
        """Every task's work, and what waits for the outside."""
        shell, engine = self._shell, self._shell.runner.engine
        is_open = any(engine.desk.is_open(symbol) for symbol in engine.desk.instruments)
        stale_ns = MARKET_DATA_LIMIT_NS if is_open else 0
        return (
            WorkView(MARKET_DATA, self._work.age_ns(MARKET_DATA), stale_ns),
            WorkView(EXECUTION, self._work.waits_ns(), EXECUTION_LIMIT_NS),
            WorkView(JOURNAL, shell.waits_ns(), JOURNAL_LIMIT_NS),
            *self._work.works(),
        )

    def _tell_health(self) -> None:
        """A change of health is a line in the log, one that lasts an alert: a desk that is blind must not look well."""
        ills = self._shell.heartbeat.unhealthy
        self._ill_beats = self._ill_beats + 1 if ills else 0
        if self._ill_beats == ILL_BEATS:
            self._shell.alert(AlertKind.UNHEALTHY, "; ".join(ills))
        if bool(ills) != self._was_unhealthy:
            self._was_unhealthy = bool(ills)
            log.log(
                logging.WARNING if ills else logging.INFO, "%s", f"UNHEALTHY: {'; '.join(ills)}" if ills else "healthy"
            )

    # --- the kill switch, and the age of the data ---

    async def kill_switch(self) -> None:
        """Look for the kill file and the variable; notice a lock that was taken from under the desk."""
        told = False
        while True:
            source = self._plan.kill_requested()
            if source is not None and not told and not self._shell.runner.engine.state.killed:
                told = True
                self._shell.gate.slam()
                now_ns = self._plan.clock.now_ns()
                self._shell.inbox.put_first(Command(now_ns, Act.KILL, source, "nightdesk", "the kill switch was set"))
            if not self._plan.store.is_in_place():
                self._shell.error("store", "desk.db was removed or replaced while the desk runs")
                self._shell.alert(AlertKind.FILES_LOST, "desk.db")
                self._shell.stop("store_lost", 1)
            if not self._plan.lock.is_at_its_path():
                self._shell.error("lock", "desk.lock was removed or replaced while the desk runs")
                self._shell.alert(AlertKind.FILES_LOST, "desk.lock")
                self._shell.stop("lock_lost", 1)
            self._work.did("kill_switch_task")
            await asyncio.sleep(until_step(self._plan.clock.mono_ns(), KILL_CHECK_NS) / 1e9)

    async def stale_data(self) -> None:
        """End the run when its recorded data is over, or stale for longer than the policy bears."""
        policy, clock = self._plan.policy, self._plan.clock
        since_ns = 0
        while True:
            stale = BlockReason.STALE_DATA in self._shell.runner.engine.state.blocks
            since_ns = (since_ns or clock.mono_ns()) if stale else 0
            if self._plan.market_ended is not None and self._plan.market_ended.is_set():
                self._shell.stop("data_complete", 0)
            bears = policy.outage_window_ns if policy.stale_action == "pause" else 0
            if stale and clock.mono_ns() - since_ns >= bears:
                self._shell.stop("stale_data", 1)
            self._work.did("stale_data_task")
            await asyncio.sleep(1)

    def _check_interpreter(self) -> None:
        """Tell once of every setting of the interpreter that somebody has changed; nothing is set back."""
        for text in self._settings.changed():
            self._shell.error("interpreter", text)
            self._changed(text)

    async def _check_program(self) -> None:
        """Tell when the program's files are other ones than those it was started from."""
        if self._plan.program is None:
            return
        replaced = await asyncio.to_thread(self._plan.program.replaced)
        if replaced != self._shell.replaced:
            self._shell.replaced = replaced
            if replaced:
                log.warning("%s", replaced_text(replaced))
                self._changed(replaced_text(replaced))

    def _changed(self, text: str) -> None:
        """Something was changed under the desk: told now, and shown from now on."""
        self._shell.alert(AlertKind.CHANGED, text)
        self._shell.warnings[text] = text

    def _check_clock(self) -> None:
        """Tell when the machine's clock was set; the desk goes on by its own."""
        stepped_ns = self._plan.clock.stepped_ns() if isinstance(self._plan.clock, WallClock) else 0
        if abs(stepped_ns - self._stepped_ns) > STEP_NS_MIN:
            by_s = (stepped_ns - self._stepped_ns) / 1e9
            text = f"the machine's clock was set by {by_s:+.1f} s; the desk goes on by its own"
            self._shell.error("clock", text)
            self._shell.alert(AlertKind.CLOCK, text)
            self._stepped_ns = stepped_ns
