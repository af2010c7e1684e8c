"""From the core's state to what an observer sees: one immutable `DeskView`."""

from collections.abc import Sequence

import msgspec

from engine.core import money
from engine.core.breaker_gauges import Gauge
from engine.core.breaker_table import SPECS
from engine.core.calendar import UnknownDays
from engine.core.engine import Engine
from engine.core.events import FeedHealth
from engine.core.orders import Order
from engine.core.profiles import OPTIMISTIC, PESSIMISTIC
from engine.core.state import Holding, Suspect, SymbolState, Tally
from engine.core.view import (
    BlockView,
    BreakerView,
    DeskView,
    DiscrepancyView,
    ErrorView,
    FeedView,
    HeartbeatView,
    NoteView,
    OrderView,
    PaperPeriodView,
    PositionView,
    ProbedView,
    ProbeView,
    ProtocolView,
    ReconciliationView,
    RefusedView,
    RegimeView,
    ReplayView,
    SignalView,
)
from engine.core.words import BlockReason, BreakerName


class RunFacts(msgspec.Struct, frozen=True):
    """What is fixed for a run, or changes rarely, beside the core: shown as it is."""

    env: str
    run_id: str
    venue: str
    broker: str
    source: str
    clock: str
    seed: int
    pid: int
    duration_ns: int
    paper_start_day: int | None = None  # since 1970
    program: str = ""
    account: str = ""


class Progress(msgspec.Struct, frozen=True):
    """Where the session stands at the moment of a view."""

    at_ns: int
    started_ns: int
    elapsed_ns: int
    phase_text: str
    heartbeat: HeartbeatView
    notes: Sequence[NoteView]
    journal_rows: int
    journal_head: str
    probes: tuple[ProbeView, ...] = ()
    probed: ProbedView | None = None
    protocol: ProtocolView | None = None
    replay: ReplayView | None = None
    gate_level: str = "DENIED"


def desk_view(engine: Engine, run: RunFacts, progress: Progress) -> DeskView:
    """The whole desk as of now. The engine's run has begun."""
    state, desk, tally = engine.state, engine.desk, engine.state.tally
    return DeskView(
        env=run.env,
        run_id=run.run_id,
        phase=state.phase,
        at_ns=progress.at_ns,
        started_ns=progress.started_ns,
        duration_ns=run.duration_ns,
        elapsed_ns=progress.elapsed_ns,
        venue=run.venue,
        broker=run.broker,
        source=run.source,
        clock=run.clock,
        seed=run.seed,
        pid=run.pid,
        phase_text=progress.phase_text,
        starting_equity=tally.starting_equity,
        equity=desk.equity,
        cash=state.cash,
        unrealized=desk.unrealized,
        realized=tally.realized,
        fees=tally.fees,
        funding=tally.funding,
        day_pnl=desk.equity - state.day_opening_equity,
        drawdown=desk.drawdown(),
        exposure=desk.exposure(),
        heat=desk.heat(),
        heat_limit=desk.heat_limit(),
        positions=tuple(_position(engine, holding) for holding in state.holdings.values()),
        orders=tuple(_order(order) for order in state.orders.values()),
        signals=dict(tally.ended),
        signal_reasons=dict(tally.reasons),
        data_refused=_data_refused(tally),
        errors=_errors(tally),
        signals_total=tally.signals,
        signals_in_flight=engine.trading.entries.in_flight(),
        recent_signals=_signals(engine),
        breakers=tuple(_breaker(engine, gauge) for gauge in engine.breakers.gauges.all()),
        blocks=_blocks(engine),
        reconciliation=_reconciliation(engine),
        kill_latched=state.killed,
        feeds=tuple(
            _feed(symbol, state.symbols[symbol], state.run_started_ns, symbol in engine.hours.closed)
            for symbol in desk.instruments
        ),
        notes=tuple(progress.notes),
        equity_curve=tuple(state.equity_curve),
        heartbeat=progress.heartbeat,
        trades=tally.trades,
        wins=tally.wins,
        orders_total=tally.orders,
        rejects_total=tally.rejects,
        fills_total=tally.fills,
        market_events=tally.market_events,
        journal_rows=progress.journal_rows,
        journal_head=progress.journal_head,
        net_pnl_pessimistic=desk.shadow_pnl(PESSIMISTIC),
        net_pnl_optimistic=desk.shadow_pnl(OPTIMISTIC),
        positions_max=desk.config.limits.positions_max,
        stuck_orders=tally.stuck,
        day_orders=state.day_orders,
        day_rejects=state.day_rejects,
        kill_closes=desk.config.kill_closes,
        regime=_regime(engine),
        paper_period=_paper_period(engine, run.paper_start_day),
        program=run.program,
        account=run.account,
        probes=progress.probes,
        probed=progress.probed,
        protocol=progress.protocol,
        replay=progress.replay,
        gate_level=progress.gate_level,
        market_phases={symbol: s.phase.value for symbol, s in state.symbols.items()},
    )


def _data_refused(tally: Tally) -> tuple[RefusedView, ...]:
    causes = [RefusedView(cause, refused.count, refused.first) for cause, refused in tally.data_refused.items()]
    return tuple(sorted(causes, key=lambda one: -one.count))


def _errors(tally: Tally) -> tuple[ErrorView, ...]:
    kinds = [ErrorView(name, k.where, k.text, k.count, k.first_ns, k.last_ns) for name, k in tally.error_kinds.items()]
    return tuple(sorted(kinds, key=lambda one: -one.count))


def _paper_period(engine: Engine, start_day: int | None) -> PaperPeriodView | None:
    """The trading days since the paper period began, today's included."""
    if start_day is None:
        return None
    try:
        return PaperPeriodView(start_day, len(engine.desk.calendar.scheduled(start_day, engine.state.day)))
    except UnknownDays:
        return PaperPeriodView(start_day, None)


def _feed(symbol: str, known: SymbolState, run_started_ns: int, closed: bool) -> FeedView:
    """A price from before this run is shown for what it is: the last known one, and stale."""
    quote, health = known.quote, known.health
    if known.last_ns and known.last_ns < run_started_ns and health is FeedHealth.LIVE:
        health = FeedHealth.STALE
    return FeedView(
        symbol, health, known.last_ns, quote.bid if quote else 0, quote.ask if quote else 0, known.last, closed
    )


def _regime(engine: Engine) -> RegimeView:
    now = engine.state.regime
    return RegimeView(
        regime=now.regime,
        level=now.level,
        of_ns=now.of_ns,
        source=now.source,
        simulated=now.simulated,
        since_ns=now.since_ns,
        heat_share=engine.desk.config.regimes.heat_share(now.regime),
        off=tuple(now.off),
    )


def _position(engine: Engine, holding: Holding) -> PositionView:
    desk = engine.desk
    position = desk.state.positions[holding.symbol]
    risk = desk.stakes.risk(holding)
    return PositionView(
        symbol=holding.symbol,
        side=holding.side,
        qty=position.qty,
        entry=position.average_price,
        mark=desk.mark(holding.symbol, position.qty),
        unrealized=desk.unrealized_of(holding.symbol),
        stop=holding.stop,
        target=holding.target,
        heat=money.div(risk, desk.equity) if desk.equity > 0 else money.SCALE,
        opened_ns=holding.opened_ns,
        strategy_id=holding.strategy_id,
    )


def _order(order: Order) -> OrderView:
    return OrderView(
        order_id=order.order_id,
        symbol=order.symbol,
        purpose=order.purpose.value,
        state=order.state.value,
        qty=order.qty,
        filled_qty=order.filled_qty,
        price=order.price,
        placed_ns=order.placed_ns,
        stop_price=order.stop_price,
        stuck=order.stuck,
    )


def _signals(engine: Engine) -> tuple[SignalView, ...]:
    """Newest first: those in flight, then the ended ones."""
    state = engine.state
    flying = [
        SignalView(
            signal_id=s.signal_id,
            at_ns=state.orders[s.order_id].placed_ns if s.order_id in state.orders else state.at_ns,
            strategy_id=s.strategy_id,
            symbol=s.proposal.symbol,
            side=s.proposal.side,
            state=None,
            reason_code=None,
            text=s.proposal.text,
            phase=s.phase,
            regime=s.regime,
        )
        for s in reversed(state.live_signals.values())
    ]
    return tuple(flying + state.recent_signals[:-31:-1])


def _reconciliation(engine: Engine) -> ReconciliationView:
    comparison = engine.state.comparison
    standing = tuple(_discrepancy(key, suspect) for key, suspect in comparison.suspects.items() if suspect.id)
    return ReconciliationView(comparison.compared_ns, comparison.reconciled_ns, comparison.clean, standing)


def _discrepancy(key: str, suspect: Suspect) -> DiscrepancyView:
    kind, _, subject = key.partition(" ")
    return DiscrepancyView(suspect.id, kind, subject, suspect.ours, suspect.theirs, suspect.first_seen_ns)


def _blocks(engine: Engine) -> tuple[BlockView, ...]:
    """Why nothing is entered: every block, the one of the breakers as one line for each that is tripped."""
    views: list[BlockView] = []
    for reason, block in engine.state.blocks.items():
        if reason != BlockReason.BREAKER:
            views.append(BlockView(reason, block.text, block.lifts, block.since_ns, block.release_ns))
            continue
        for name, breaker in engine.breakers.check_breakers().items():
            text = f"{SPECS[name].label} {breaker.text}"
            lifts = engine.breakers.lifts(name)
            views.append(BlockView(reason, text, lifts, breaker.since_ns, breaker.release_ns))
    return tuple(views)


def _breaker(engine: Engine, gauge: Gauge) -> BreakerView:
    breaker = engine.state.breakers.get(gauge.name)
    blocks = engine.state.blocks if gauge.name is BreakerName.PHASE_UNKNOWN else {}
    soft = blocks.get(BlockReason.PHASE_UNKNOWN)
    tripped = breaker is not None and breaker.tripped
    return BreakerView(
        name=gauge.name.value,
        label=gauge.label,
        value=gauge.value,
        limit=gauge.limit,
        unit=gauge.unit,
        used=money.div(gauge.value, gauge.limit) if gauge.limit > 0 else money.SCALE,
        tripped=tripped or soft is not None,
        action=engine.breakers.action(gauge.name).value,
        lifts=engine.breakers.lifts(gauge.name),
        text=breaker.text if breaker else soft.text if soft else "",
        since_ns=breaker.since_ns if breaker else soft.since_ns if soft else 0,
        release_ns=breaker.release_ns if breaker else 0,
    )
