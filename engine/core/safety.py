"""What stops the desk: the kill latch and the blocks. Stopping is always possible and never undone by itself, except
where a rule of release says so. Every change is a fact.
"""

from collections.abc import Callable
from typing import Final

from engine.core.desk import Desk
from engine.core.events import SessionPhase
from engine.core.facts import BlockChanged, KillChanged
from engine.core.state import TIMES_KEPT, Block, Crash
from engine.core.times import stretch
from engine.core.words import AlertKind, BlockReason

LIFTS: Final = {
    BlockReason.KILL: "nightdesk rearm",
    BlockReason.OPERATOR: "resume (r)",
    BlockReason.STARTING: "history seeded",
    BlockReason.SHUTTING_DOWN: "the next start",
    BlockReason.STALE_DATA: "fresh data",
    BlockReason.BREAKER: "its release, or reset-breaker",
    BlockReason.LIQUIDATION: "reset-breaker with a reason",
    BlockReason.RECONCILIATION: "books that agree, or reconcile --adopt",
    BlockReason.JOURNAL: "a writable journal",
    BlockReason.UNKNOWN_ORDER: "the venue's evidence",
    BlockReason.PHASE_UNKNOWN: "enough bars",
    BlockReason.MARKET_CLOSED: "its opening",
    BlockReason.RESTORED: "resume (r)",
    BlockReason.OUTAGE: "resume (r)",
    BlockReason.CRASH_LOOP: "resume (r)",
    BlockReason.DISK: "room on the disk",
    BlockReason.LIVE_GATE: "evidence that counts (nightdesk gate)",
}

ALERTS: Final = {
    BlockReason.OPERATOR: (AlertKind.PAUSED, AlertKind.RESUMED),
    BlockReason.STALE_DATA: (AlertKind.STALE_DATA, AlertKind.FRESH_DATA),
    BlockReason.DISK: (AlertKind.DISK, AlertKind.DISK_FREE),
    BlockReason.RESTORED: (AlertKind.RESTORED, AlertKind.RESUMED),
    BlockReason.OUTAGE: (AlertKind.OUTAGE, AlertKind.RESUMED),
    BlockReason.CRASH_LOOP: (AlertKind.CRASH_LOOP, AlertKind.RESUMED),
}
"""The blocks that are alerted when they come into force and, while the desk runs, when they are lifted."""


class Safety:
    """The kill latch and the blocks of one desk.

    Attributes:
        cancel_entries: Takes back every working entry order, and says why; called when a block comes into force.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.cancel_entries: Callable[[str], None]

    # --- blocks ---

    def block(self, reason: BlockReason, text: str, actor: str = "", lifts: str = "", release_ns: int = 0) -> None:
        """Put a block in force and take back what was to enter; says nothing new if it already stands."""
        state = self._desk.state
        if reason in state.blocks:
            return
        lifts = lifts or LIFTS[reason]
        state.blocks[reason] = Block(text, lifts, state.at_ns, release_ns)
        self._desk.emit(BlockChanged(state.at_ns, reason, True, text, lifts, actor))
        if reason in ALERTS:
            self._desk.alert(ALERTS[reason][0], text)
        self.cancel_entries(text)

    def unblock(self, reason: BlockReason, text: str, actor: str = "") -> bool:
        """Lift a block; False if it did not stand."""
        state = self._desk.state
        if state.blocks.pop(reason, None) is None:
            return False
        if reason is BlockReason.CRASH_LOOP:
            state.crashes.clear()  # somebody has looked at them
        self._desk.emit(BlockChanged(state.at_ns, reason, False, text, "", actor))
        if reason in ALERTS and state.phase is SessionPhase.RUNNING:
            self._desk.alert(ALERTS[reason][1], text)
        return True

    def crashed(self, run_id: str) -> None:
        """Count a run that ended without saying goodbye; with the last one too many, entries wait for a person."""
        state, config = self._desk.state, self._desk.config
        state.crashes.append(Crash(run_id, state.at_ns))
        since_ns = state.at_ns - config.crash_window_ns
        state.crashes = [crash for crash in state.crashes[-TIMES_KEPT:] if crash.at_ns > since_ns]
        if 0 < config.crashes_max <= len(state.crashes):
            within = stretch(config.crash_window_ns)
            runs = ", ".join(crash.run_id for crash in state.crashes)
            text = f"{len(state.crashes)} runs ended without saying goodbye within {within}: {runs}"
            self.block(BlockReason.CRASH_LOOP, text)

    def standing(self) -> tuple[tuple[str, ...], str]:
        """The blocks in force beside the kill and the breakers, and one sentence naming them all."""
        blocks = {r: b for r, b in self._desk.state.blocks.items() if r not in (BlockReason.KILL, BlockReason.BREAKER)}
        return tuple(blocks), "; ".join(f"{b.text} (lifted by {b.lifts})" for b in blocks.values())

    # --- kill ---

    def kill(self, source: str, actor: str, text: str) -> bool:
        """Latch the kill switch; False if it was latched already."""
        state = self._desk.state
        if state.killed:
            return False
        state.killed = True
        self._desk.emit(KillChanged(state.at_ns, True, source, actor, text))
        self.block(BlockReason.KILL, text or "kill switch", actor)
        self._desk.alert(AlertKind.KILL, f"kill switch by {source} ({actor}): {text}")
        return True

    def rearm(self, source: str, actor: str, text: str) -> bool:
        """Clear the latch; False if it was not set."""
        state = self._desk.state
        if not state.killed:
            return False
        state.killed = False
        self._desk.emit(KillChanged(state.at_ns, False, source, actor, text))
        self.unblock(BlockReason.KILL, text, actor)
        self._desk.alert(AlertKind.REARMED, f"by {source} ({actor}): {text}")
        return True
