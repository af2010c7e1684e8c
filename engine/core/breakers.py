"""The circuit breakers at work: values counted, limits watched, trips and releases. Every change is a fact.

A trip stops entries at once and takes back the working ones; positions keep their stops, and are closed where the
action ends the session. What trips and what is counted outlives a restart.
"""

from engine.core import money
from engine.core.breaker_gauges import Gauge, Gauges
from engine.core.breaker_table import (
    BREAKERS,
    OUTAGE_WINDOW_NS,
    REFUSAL_WINDOW_NS,
    SLIPPAGE_ORDERS,
    SPECS,
    action_of,
    release_of,
)
from engine.core.desk import Desk
from engine.core.events import Fill, Role
from engine.core.facts import BreakerChanged, StopSession
from engine.core.orders import Order
from engine.core.safety import Safety
from engine.core.state import Block, Breaker, TakerOrder, remember
from engine.core.words import AlertKind, BlockReason, BreakerAction, BreakerName, ReasonCode


class Breakers:
    """The breakers of one desk.

    Attributes:
        gauges: Every breaker's value beside its limit.
    """

    def __init__(self, desk: Desk, safety: Safety) -> None:
        self._desk = desk
        self._safety = safety
        self._actions = {spec.name: action_of(spec.name, desk.config) for spec in BREAKERS}
        self.gauges = Gauges(desk)

    # --- what stands ---

    def action(self, name: BreakerName) -> BreakerAction:
        """What the breaker does at its limit in this run, or what it did when it tripped."""
        standing = self._desk.state.breakers.get(name)
        return standing.action if standing is not None and standing.action else self._actions[name]

    def check_breakers(self) -> dict[BreakerName, Breaker]:
        """Every tripped breaker, in the order of the table."""
        standing = self._desk.state.breakers
        return {name: standing[name] for name in SPECS if name in standing and standing[name].tripped}

    def is_tripped(self, name: BreakerName) -> bool:
        breaker = self._desk.state.breakers.get(name)
        return breaker is not None and breaker.tripped

    def refusal(self) -> tuple[ReasonCode | None, str]:
        """What the tripped breakers mean for an entry: the first one's code, and a sentence naming all of them."""
        tripped = self.check_breakers()
        if not tripped:
            return None, ""
        first, *_ = tripped
        code = SPECS[first].code
        if code is ReasonCode.BREAKER and self.action(first) is BreakerAction.COOLDOWN:
            code = ReasonCode.COOLDOWN
        return code, "; ".join(f"{SPECS[name].label} breaker tripped: {b.text}" for name, b in tripped.items())

    def lifts(self, name: BreakerName) -> str:
        """What releases this breaker, in words."""
        return release_of(name, self.action(name), self._desk.config.auto_reset)

    # --- what is counted ---

    def watch_equity(self) -> None:
        """Follow the peaks; trip what has reached its limit. Called whenever equity may have moved."""
        desk, state = self._desk, self._desk.state
        equity = desk.equity
        state.peak_equity = max(state.peak_equity, equity)
        state.day_peak_equity = max(state.day_peak_equity, equity)
        limits = desk.config.limits
        near = (
            state.day_base_equity - equity >= self.gauges.daily_loss_limit()
            or (state.day_peak_equity - equity) * money.SCALE >= limits.daily_drawdown_max * state.day_peak_equity
            or (state.peak_equity - equity) * money.SCALE >= limits.total_drawdown_max * state.peak_equity
        )
        if near:
            self.check(BreakerName.DAILY_LOSS, BreakerName.DAILY_DRAWDOWN, BreakerName.TOTAL_DRAWDOWN)

    def traded(self, pnl: int) -> None:
        """A trade closed that was not forced: a profit ends the run of losses, a loss adds to it, nothing leaves it."""
        if pnl > 0:
            self._desk.state.losses_in_row = 0
        elif pnl < 0:
            self._desk.state.losses_in_row += 1
            self.check(BreakerName.CONSECUTIVE_LOSSES)

    def failed(self) -> None:
        """Errors were recorded since the last look."""
        self._desk.has_failed = False
        self.check(BreakerName.ERRORS, BreakerName.ERROR_RATE)

    def refused(self) -> None:
        """The broker refused an order."""
        state = self._desk.state
        remember(state.recent.refusals, state.at_ns, REFUSAL_WINDOW_NS)
        self.check(BreakerName.VENUE_REFUSALS)

    def filled(self, order: Order, fill: Fill) -> None:
        """An order was filled: what it cost beyond the price expected, and the heat it led to."""
        if fill.role is Role.TAKER and order.expected:
            takers = self._desk.state.recent.takers
            taker = takers.setdefault(order.order_id, TakerOrder(order.expected))
            taker.qty += fill.qty
            taker.value += money.mul(fill.price, fill.qty)
            if len(takers) > SLIPPAGE_ORDERS:
                del takers[next(iter(takers))]
            self.check(BreakerName.SLIPPAGE)
        self.check(BreakerName.HEAT)

    def outage(self, standing: bool) -> None:
        """No open market has fresh data, or one has it again."""
        state = self._desk.state
        if standing and not state.recent.outage_since_ns:
            state.recent.outage_since_ns = state.at_ns
            remember(state.recent.outages, state.at_ns, OUTAGE_WINDOW_NS)
        elif not standing:
            state.recent.outage_since_ns = 0
        self.check(BreakerName.FEED_HEALTH)

    # --- trips ---

    def check(self, *names: BreakerName) -> None:
        """Trip each of `names` that has reached its limit and is not tripped yet."""
        for name in names:
            action = self._actions[name]
            if action is BreakerAction.WATCH or self.is_tripped(name):
                continue
            gauge = self.gauges.of(name)
            if gauge.reached:
                self._trip(gauge, action)

    def _trip(self, gauge: Gauge, action: BreakerAction) -> None:
        desk, state, lasting = self._desk, self._desk.state, SPECS[gauge.name].lasting
        cooled_ns = state.at_ns + desk.config.cooldown_ns
        over_ns = cooled_ns if action is BreakerAction.COOLDOWN else max(cooled_ns, desk.day_end_ns)
        state.breakers[gauge.name] = Breaker(
            tripped=True,
            since_ns=state.at_ns,
            release_ns=0 if lasting else over_ns,
            text=gauge.text,
            value=gauge.value,
            limit=gauge.limit,
            action=action,
        )
        desk.emit(BreakerChanged(state.at_ns, gauge.name, True, gauge.value, gauge.limit, gauge.text, action.value))
        self._safety.block(BlockReason.BREAKER, f"{gauge.label}: {gauge.text}", lifts=self.lifts(gauge.name))
        self._name_all()
        errors = gauge.name in (BreakerName.ERRORS, BreakerName.ERROR_RATE)
        desk.alert(AlertKind.ERROR_LIMIT if errors else AlertKind.BREAKER, f"{gauge.label}: {gauge.text}")
        if action is BreakerAction.SHUTDOWN:
            desk.emit(StopSession("max_errors" if gauge.name is BreakerName.ERRORS else "circuit_breaker", 1))

    def _name_all(self) -> None:
        """The block names every tripped breaker and what lifts each."""
        tripped, blocks = self.check_breakers(), self._desk.state.blocks
        text = "; ".join(f"{SPECS[name].label}: {breaker.text}" for name, breaker in tripped.items())
        lifts = "; ".join(dict.fromkeys(self.lifts(name) for name in tripped))
        blocks[BlockReason.BREAKER] = Block(text, lifts, blocks[BlockReason.BREAKER].since_ns)

    # --- releases ---

    def due(self) -> None:
        """Release the breakers whose time has come, and look at an outage that goes on."""
        if self._desk.state.recent.outage_since_ns:
            self.check(BreakerName.FEED_HEALTH)
        for name in self._releasable():
            if self._desk.state.breakers[name].release_ns <= self._desk.at_ns:
                self.reset(name, "its time of release has come")

    def next_due_ns(self) -> int:
        """When the next breaker lets go by itself, or an outage reaches its limit; 0 if neither is to come."""
        state, times = self._desk.state, [self._desk.state.breakers[name].release_ns for name in self._releasable()]
        if state.recent.outage_since_ns and not self.is_tripped(BreakerName.FEED_HEALTH):
            times.append(state.recent.outage_since_ns + self._desk.config.limits.feed_outage_ns_max)
        return min(times, default=0)

    def _releasable(self) -> list[BreakerName]:
        """The tripped breakers that time alone releases; none while the books are in doubt."""
        if BlockReason.RECONCILIATION in self._desk.state.blocks:
            return []
        tripped = self.check_breakers()
        return [name for name, breaker in tripped.items() if breaker.release_ns and self._lets_go(name)]

    def _lets_go(self, name: BreakerName) -> bool:
        return self.action(name) is not BreakerAction.COOLDOWN or self._desk.config.auto_reset

    def reset(self, name: BreakerName, text: str) -> bool:
        """Release a tripped breaker; False if it was not tripped. What it counts begins anew."""
        desk, state = self._desk, self._desk.state
        if not self.is_tripped(name):
            return False
        del state.breakers[name]
        self._begin_anew(name)
        desk.emit(BreakerChanged(state.at_ns, name, False, 0, 0, text, ""))
        desk.alert(AlertKind.BREAKER_RELEASED, f"{SPECS[name].label}: {text}")
        if self.check_breakers():
            self._name_all()
        else:
            self._safety.unblock(BlockReason.BREAKER, text)
        return True

    def _begin_anew(self, name: BreakerName) -> None:
        """Forget what the breaker counted; the phases and the heat are as they are, and count nothing."""
        state, equity = self._desk.state, self._desk.equity
        match name:
            case BreakerName.CONSECUTIVE_LOSSES:
                state.losses_in_row = 0
            case BreakerName.DAILY_LOSS:
                state.day_base_equity = equity
            case BreakerName.DAILY_DRAWDOWN:
                state.day_peak_equity = equity
            case BreakerName.TOTAL_DRAWDOWN:
                state.peak_equity = equity
            case BreakerName.ERRORS:
                state.errors_counted = 0
            case BreakerName.ERROR_RATE:
                state.recent.errors = []
            case BreakerName.FEED_HEALTH:
                state.recent.outages = []
                state.recent.outage_since_ns = state.at_ns if state.recent.outage_since_ns else 0
            case BreakerName.VENUE_REFUSALS:
                state.recent.refusals = []
            case BreakerName.SLIPPAGE:
                state.recent.takers = {}
