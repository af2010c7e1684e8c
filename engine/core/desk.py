"""The desk's books and what the parts of the engine share: figures read from the state, ids, and the way out.

Every figure here is derived from `EngineState` alone, so that a desk made from a snapshot gives the same ones.
"""

from collections.abc import Callable
from hashlib import sha256
from operator import attrgetter
from typing import Final

import msgspec

from engine.core import money
from engine.core.breaker_table import ERROR_WINDOW_NS
from engine.core.calendar import Calendar, shared
from engine.core.config import DAY, CoreConfig, Instrument, StrategySpec
from engine.core.correlation import Correlations
from engine.core.events import FeedHealth
from engine.core.facts import DECISIONS, Alert, AnyEffect, AnyFact, EquityMarked, ErrorCounted, HeatNoted
from engine.core.orders import Order
from engine.core.profiles import OPTIMISTIC, PESSIMISTIC
from engine.core.shadows import Shadows
from engine.core.standing import Stakes
from engine.core.state import EngineState, SymbolState, remember
from engine.core.words import AlertKind, Purpose, Unit

CURVE_POINTS_MAX: Final = 120
UNHASHED: Final = frozenset({"at_ns", "of_ns", "entry_at_ns", "order_to_fill_ns", "text", "actor"})
"""Fields of a decision that carry a wall-clock time or words for people: not part of the decision hash."""
_HASHED: Final[dict[type, Callable[[AnyFact | AnyEffect], tuple[object, ...]]]] = {
    kind: attrgetter(*(name for name in kind.__struct_fields__ if name not in UNHASHED)) for kind in DECISIONS
}
"""The other fields of each kind of decision, of which every one has several."""


class UnsupportedMultiplier(Exception):
    """An instrument's unit is not one unit of its base: positions, funding and limits would be booked wrongly."""

    def __init__(self, symbol: str, multiplier: int) -> None:
        super().__init__(f"{symbol} has the multiplier {money.text(multiplier)}; the desk's books hold only 1")
        self.symbol = symbol
        self.multiplier = multiplier


class UnknownCalendar(Exception):
    """An instrument trades by a calendar the run was not given: nobody could say when its market is open."""

    def __init__(self, symbol: str, name: str) -> None:
        super().__init__(f"{symbol} trades by the calendar {name}, which this run does not have")
        self.symbol = symbol
        self.name = name


class Desk:
    """One desk: state, instruments, and the list of facts and effects the current event leads to.

    Raises UnsupportedMultiplier for an instrument whose multiplier is not 1, UnknownCalendar for one of unknown hours.

    Attributes:
        calendars: Market hours by symbol of this run.
        calendar: What rolls the trading day.
    """

    def __init__(self, state: EngineState) -> None:
        assert state.config is not None
        self.state = state
        self.config: CoreConfig = state.config
        self.instruments: dict[str, Instrument] = {i.symbol: i for i in state.config.instruments}
        self.calendars = calendars_of(state.config)
        self.calendar = shared(self.calendars.values())
        self._strategies = {spec.strategy_id: spec for spec in state.config.strategies}
        for instrument in self.instruments.values():
            if instrument.multiplier != money.SCALE:
                raise UnsupportedMultiplier(instrument.symbol, instrument.multiplier)
        for symbol in self.instruments:
            state.symbols.setdefault(symbol, SymbolState())
        self.stakes = Stakes(state, self.config.limits)
        groups = {symbol: instrument.group for symbol, instrument in self.instruments.items()}
        window = self.config.limits.correlation_window
        self.correlations = Correlations(state.returns, groups, self.calendars, window, self.config.bar_ns)
        self.out: list[AnyFact | AnyEffect] = []
        self.shadows: Shadows | None = None
        self._ids = self._ids_seq = 0
        self.has_failed = False  # since the breakers looked last
        self.unrealized = sum(state.unrealized.values())

    # --- emission ---

    def emit(self, item: AnyFact | AnyEffect) -> None:
        """Add a fact or an effect to what this event leads to; decisions go into the run's decision hash."""
        if type(item) in _HASHED:
            self._hash(item)
        self.out.append(item)

    def _hash(self, decision: AnyFact | AnyEffect) -> None:
        prefix, kind = f"{self.state.run_id}-", type(decision)
        fields = [value.removeprefix(prefix) if isinstance(value, str) else value for value in _HASHED[kind](decision)]
        body = msgspec.msgpack.encode((kind.__name__, fields))
        self.state.decision_hash = sha256(self.state.decision_hash + body).digest()

    def fail(self, where: str, text: str, fingerprint: str) -> None:
        """Record an error; the breakers look at their counts once the event is handled."""
        state = self.state
        state.tally.fail(where, text, fingerprint, state.at_ns)
        state.errors_counted += 1
        remember(state.recent.errors, state.at_ns, ERROR_WINDOW_NS)
        self.has_failed = True
        self.emit(ErrorCounted(state.at_ns, where, text, fingerprint))

    def new_id(self) -> str:
        """An id from the event sequence: `<run>-<seq>-<n>`, the same in every replay."""
        if self._ids_seq != self.state.seq:
            self._ids_seq, self._ids = self.state.seq, 0
        self._ids += 1
        return f"{self.state.run_id}-{self.state.seq}-{self._ids}"

    def strategy(self, strategy_id: str) -> StrategySpec:
        """What the run was told of a strategy; one it was told nothing of may enter in all regimes, full-sized."""
        return self._strategies.get(strategy_id) or StrategySpec(strategy_id, "", {}, ())

    # --- figures ---

    @property
    def at_ns(self) -> int:
        return self.state.at_ns

    @property
    def day_end_ns(self) -> int:
        """When the next trading day begins."""
        return self.state.day_end_ns or (self.state.day + 1) * DAY

    @property
    def equity(self) -> int:
        return self.state.cash + self.unrealized

    def shadow_equity(self, profile: str) -> int | None:
        """What the account would be worth had its orders been filled under `profile`; None without shadow books."""
        return None if self.shadows is None else self.shadows.equity(profile)

    def shadow_pnl(self, profile: str) -> int | None:
        """What `profile` has brought since the run began."""
        equity = self.shadow_equity(profile)
        return None if equity is None else equity - self.state.tally.starting_shadows[profile]

    def mark(self, symbol: str, qty: int) -> int:
        """The price a position of signed `qty` could be closed at: bid for longs, ask for shorts; else the last."""
        known = self.state.symbols.get(symbol)
        if known is None:
            return 0
        if known.quote is not None:
            return known.quote.bid if qty > 0 else known.quote.ask
        return known.last

    def remark(self, symbol: str) -> None:
        """Bring the unrealized profit of `symbol` up to its mark."""
        position, known = self.state.positions.get(symbol), self.state.unrealized
        value = 0
        if position is not None and position.qty:
            mark = self.mark(symbol, position.qty)
            value = position.unrealized(mark) if mark else known.get(symbol, 0)
        self.unrealized += value - known.get(symbol, 0)
        if value:
            known[symbol] = value
        else:
            known.pop(symbol, None)

    def unrealized_of(self, symbol: str) -> int:
        return self.state.unrealized.get(symbol, 0)

    def entries(self) -> list[Order]:
        """The working entry orders."""
        return [order for order in self.state.orders.values() if order.purpose is Purpose.ENTRY]

    def occupants(self, symbol: str) -> int:
        """What occupies a symbol: its position, or else its working orders, or else its signals in flight."""
        state = self.state
        position = state.positions.get(symbol)
        if position is not None and position.qty:
            return 1
        orders = sum(order.symbol == symbol for order in state.orders.values())
        return orders or sum(signal.proposal.symbol == symbol for signal in state.live_signals.values())

    def exposure(self) -> int:
        """Gross notional of positions at their marks, plus what working entries would add."""
        return self.stakes.standing().gross

    def heat(self) -> int:
        """Risk to all stops over equity, as a fraction; 1 when there is no equity left."""
        return money.div(self.stakes.standing().risk, self.equity) if self.equity > 0 else money.SCALE

    def heat_limit(self) -> int:
        """The heat limit in force: the configured one, as far as the regime leaves it."""
        return money.mul(self.config.limits.heat_max, self.config.regimes.heat_share(self.state.regime.regime))

    def drawdown(self) -> int:
        """Fall from the peak of the books, as a fraction of it."""
        peak = self.state.peak_equity
        return max(0, money.div(peak - self.equity, peak)) if peak > 0 else 0

    def alert(self, kind: AlertKind, text: str) -> None:
        """Tell an operator; `text` says what happened."""
        self.emit(Alert(self.at_ns, kind, text))

    def is_open(self, symbol: str) -> bool:
        """Whether the symbol's market is open now; one that is none of the run's has no hours to keep it out."""
        calendar = self.calendars.get(symbol)
        return calendar is None or calendar.is_open(self.at_ns)

    def watch_heat(self) -> None:
        """Tell when heat has gone above its limit, and when it has come back. No position is closed for it."""
        heat, limit = self.heat(), self.heat_limit()
        if (heat > limit) is self.state.heat_above:
            return
        self.state.heat_above = heat > limit
        self.emit(HeatNoted(self.at_ns, self.state.heat_above, heat, limit))
        if self.state.heat_above:
            text = (
                f"{Unit.FRACTION.text(heat)} of equity, above {Unit.FRACTION.text(limit)}; no entry until it is below"
            )
            self.alert(AlertKind.HEAT, text)

    def stale_symbols(self) -> list[str]:
        return [s for s in self.instruments if self.state.symbols[s].health is not FeedHealth.LIVE]

    def mark_equity(self) -> None:
        """Record the account as it stands."""
        state, tally, equity = self.state, self.state.tally, self.equity
        state.marked_ns = state.at_ns
        state.equity_curve.append(equity)
        if len(state.equity_curve) > CURVE_POINTS_MAX:
            del state.equity_curve[0]
        self.emit(
            EquityMarked(
                at_ns=state.at_ns,
                equity=equity,
                cash=state.cash,
                unrealized=self.unrealized,
                realized=tally.realized,
                fees=tally.fees,
                funding=tally.funding,
                exposure=self.exposure(),
                heat=self.heat(),
                drawdown=self.drawdown(),
                regime=state.regime.regime.value,
                volatility=state.regime.level,
                phases=self._phases(),
                equity_pessimistic=self.shadow_equity(PESSIMISTIC),
                equity_optimistic=self.shadow_equity(OPTIMISTIC),
            )
        )

    def _phases(self) -> str:
        """The market phase of every symbol in one line, symbols of one phase together."""
        by_phase: dict[str, list[str]] = {}
        for symbol, known in self.state.symbols.items():
            by_phase.setdefault(known.phase.value, []).append(symbol)
        return " ".join(f"{phase}:{','.join(symbols)}" for phase, symbols in sorted(by_phase.items()))


def calendars_of(config: CoreConfig) -> dict[str, Calendar]:
    """The calendar of each symbol."""
    given = {calendar.name: calendar for calendar in (Calendar(), *config.calendars)}
    for instrument in config.instruments:
        if instrument.calendar not in given:
            raise UnknownCalendar(instrument.symbol, instrument.calendar)
    return {instrument.symbol: given[instrument.calendar] for instrument in config.instruments}
