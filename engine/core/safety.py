"""What stops the desk: the kill latch, the blocks, the circuit breakers. Stopping is always possible and never undone
by itself, except where a rule of release says so.

The breakers are equity-based and include open positions. Every change is a fact.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from engine.core import money
from engine.core.config import DAY, Limits
from engine.core.desk import Desk
from engine.core.facts import Alert, BlockChanged, BreakerChanged, KillChanged, StopSession
from engine.core.state import Block, Breaker
from engine.core.words import BlockReason, BreakerName, ReasonCode, Severity


class Gauge(msgspec.Struct, frozen=True):
    """A breaker as it stands: `value` trips at `limit`. `unit` is money, fraction or count."""

    name: BreakerName
    label: str
    value: int
    limit: int
    unit: str

    @property
    def reached(self) -> bool:
        return self.value >= self.limit


LASTING: Final = frozenset({BreakerName.TOTAL_DRAWDOWN, BreakerName.ERRORS})
"""Breakers no new day releases: an operator resets them, with a reason."""

LABELS: Final = {
    BreakerName.CONSECUTIVE_LOSSES: "losses in a row",
    BreakerName.DAILY_LOSS: "daily loss",
    BreakerName.DAILY_DRAWDOWN: "day drawdown",
    BreakerName.TOTAL_DRAWDOWN: "total drawdown",
    BreakerName.ERRORS: "errors",
}

LIFTS: Final = {
    BlockReason.KILL: "nightdesk rearm",
    BlockReason.OPERATOR: "resume (r)",
    BlockReason.STARTING: "history seeded",
    BlockReason.SHUTTING_DOWN: "the next start",
    BlockReason.STALE_DATA: "fresh data",
    BlockReason.BREAKER: "its release, or reset-breaker",
    BlockReason.RECONCILIATION: "a clean reconciliation",
    BlockReason.JOURNAL: "a writable journal",
    BlockReason.UNKNOWN_ORDER: "the venue's evidence",
    BlockReason.PHASE_UNKNOWN: "enough bars",
    BlockReason.RESTORED: "resume (r)",
}


class Safety:
    """The kill latch, blocks and breakers of one desk.

    Attributes:
        cancel_entries: Takes back every working entry order, and says why; called when a block comes into force.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.cancel_entries: Callable[[str], None] = lambda why: None

    # --- blocks ---

    def block(self, reason: BlockReason, text: str, actor: str = "", lifts: str = "") -> None:
        """Put a block in force and take back what was to enter; says nothing new if it already stands."""
        state = self._desk.state
        if reason in state.blocks:
            return
        lifts = lifts or LIFTS[reason]
        state.blocks[reason] = Block(text, lifts, state.at_ns)
        self._desk.emit(BlockChanged(state.at_ns, reason, True, text, lifts, actor))
        self.cancel_entries(text)

    def unblock(self, reason: BlockReason, text: str, actor: str = "") -> bool:
        """Lift a block; False if it did not stand."""
        state = self._desk.state
        if state.blocks.pop(reason, None) is None:
            return False
        self._desk.emit(BlockChanged(state.at_ns, reason, False, text, "", actor))
        return True

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
        self._desk.emit(Alert(Severity.CRITICAL, "KILL", f"kill switch by {source} ({actor}): {text}"))
        return True

    def rearm(self, source: str, actor: str, text: str) -> bool:
        """Clear the latch; False if it was not set."""
        state = self._desk.state
        if not state.killed:
            return False
        state.killed = False
        self._desk.emit(KillChanged(state.at_ns, False, source, actor, text))
        self.unblock(BlockReason.KILL, text, actor)
        return True

    # --- breakers ---

    def gauges(self) -> tuple[Gauge, ...]:
        """Every breaker's value beside its limit, as of now."""
        desk, state, limits = self._desk, self._desk.state, self._desk.config.limits
        day_peak = state.day_peak_equity
        fall = max(0, money.div(day_peak - desk.equity, day_peak)) if day_peak > 0 else 0
        values = {
            BreakerName.CONSECUTIVE_LOSSES: (state.losses_in_row, limits.consecutive_losses_max, "count"),
            BreakerName.DAILY_LOSS: (max(0, state.day_opening_equity - desk.equity), self.daily_loss_limit(), "money"),
            BreakerName.DAILY_DRAWDOWN: (fall, limits.daily_drawdown_max, "fraction"),
            BreakerName.TOTAL_DRAWDOWN: (desk.drawdown(), limits.total_drawdown_max, "fraction"),
            BreakerName.ERRORS: (state.errors_counted, limits.errors_max, "count"),
        }
        return tuple(Gauge(name, LABELS[name], *values[name]) for name in BreakerName)

    def daily_loss_limit(self) -> int:
        """The amount or the fraction of the day's opening equity, whichever is smaller."""
        limits: Limits = self._desk.config.limits
        return min(
            limits.daily_loss_max, money.mul(self._desk.state.day_opening_equity, limits.daily_loss_fraction_max)
        )

    def watch_equity(self) -> None:
        """Follow the peaks; trip what has reached its limit. Called whenever equity may have moved."""
        desk, state = self._desk, self._desk.state
        equity = desk.equity
        state.peak_equity = max(state.peak_equity, equity)
        state.day_peak_equity = max(state.day_peak_equity, equity)
        limits = desk.config.limits
        near = (
            state.day_opening_equity - equity >= self.daily_loss_limit()
            or (state.day_peak_equity - equity) * money.SCALE >= limits.daily_drawdown_max * state.day_peak_equity
            or (state.peak_equity - equity) * money.SCALE >= limits.total_drawdown_max * state.peak_equity
        )
        if near:
            self.check()

    def check(self) -> None:
        """Trip every breaker that has reached its limit and is not tripped yet."""
        for gauge in self.gauges():
            if gauge.reached and not self._breaker(gauge.name).tripped:
                self._trip(gauge)

    def _breaker(self, name: BreakerName) -> Breaker:
        return self._desk.state.breakers.setdefault(name, Breaker())

    def _trip(self, gauge: Gauge) -> None:
        desk, state, config = self._desk, self._desk.state, self._desk.config
        breaker = self._breaker(gauge.name)
        breaker.tripped, breaker.since_ns = True, state.at_ns
        breaker.text = f"{GAUGE_TEXT[gauge.unit](gauge.value)} >= {GAUGE_TEXT[gauge.unit](gauge.limit)}"
        breaker.release_ns = 0 if gauge.name in LASTING else self._release_ns()
        action = "shutdown" if gauge.name in LASTING else config.breaker_action
        desk.emit(BreakerChanged(state.at_ns, gauge.name, True, gauge.value, gauge.limit, breaker.text, action))
        self.block(BlockReason.BREAKER, f"{gauge.label}: {breaker.text}", lifts=self.release_text(gauge.name))
        desk.emit(Alert(Severity.CRITICAL, "CIRCUIT BREAKER TRIPPED", f"{gauge.label}: {breaker.text}"))
        if action == "shutdown":
            desk.emit(StopSession("max_errors" if gauge.name is BreakerName.ERRORS else "circuit_breaker", 1))

    def _release_ns(self) -> int:
        """Cooldown over, and under `halt_day` the next UTC day begun as well."""
        at, config = self._desk.at_ns, self._desk.config
        cooled = at + config.cooldown_ns
        return cooled if config.breaker_action == "cooldown" else max(cooled, (at // DAY + 1) * DAY)

    def release_text(self, name: BreakerName) -> str:
        """What releases this breaker, in words."""
        if name in LASTING:
            return "reset-breaker with a reason"
        if self._desk.config.breaker_action == "cooldown":
            return "cooldown over, or reset-breaker"
        return "next trading day, or reset-breaker"

    def release_due(self) -> None:
        """Release the breakers whose time has come."""
        for name, breaker in self._desk.state.breakers.items():
            if breaker.tripped and 0 < breaker.release_ns <= self._desk.at_ns:
                self.reset(name, "its time of release has come")

    def reset(self, name: BreakerName, text: str) -> bool:
        """Release a tripped breaker; False if it was not tripped. What it counts begins anew."""
        desk, state = self._desk, self._desk.state
        breaker = self._breaker(name)
        if not breaker.tripped:
            return False
        state.breakers[name] = Breaker()
        if name is BreakerName.CONSECUTIVE_LOSSES:
            state.losses_in_row = 0
        elif name is BreakerName.ERRORS:
            state.errors_counted = 0
        elif name is BreakerName.TOTAL_DRAWDOWN:
            state.peak_equity = desk.equity
        else:
            state.day_opening_equity = state.day_peak_equity = desk.equity
        desk.emit(BreakerChanged(state.at_ns, name, False, 0, 0, text, ""))
        if not any(b.tripped for b in state.breakers.values()):
            self.unblock(BlockReason.BREAKER, text)
        return True

    def tripped(self) -> tuple[ReasonCode | None, str]:
        """The refusal a tripped breaker means for an entry, with its sentence; (None, "") while all are armed."""
        for name, breaker in self._desk.state.breakers.items():
            if breaker.tripped:
                code = ReasonCode.BREAKER
                if name is BreakerName.DAILY_LOSS:
                    code = ReasonCode.DAILY_LOSS
                elif name is BreakerName.ERRORS:
                    code = ReasonCode.ERROR_LIMIT
                return code, f"{LABELS[name]} breaker tripped: {breaker.text}"
        return None, ""

    def next_release_ns(self) -> int:
        """When the next breaker lets go by itself; 0 if none will."""
        return min((b.release_ns for b in self._desk.state.breakers.values() if b.tripped and b.release_ns), default=0)


GAUGE_TEXT: Final[dict[str, Callable[[int], str]]] = {
    "money": lambda value: money.text(value, 2),
    "fraction": lambda value: f"{money.text(value * 100, 1)}%",
    "count": str,
}
