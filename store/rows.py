"""Each kind of fact as a row of its table: column by column, money as decimal text. Pure; the SQL is elsewhere."""

from collections.abc import Callable, Sequence
from typing import Final

from engine.core.facts import (
    AccountLiquidated,
    AmendRequested,
    AnyFact,
    BlockChanged,
    BreakerChanged,
    DayRolled,
    DiscrepancyChanged,
    EquityMarked,
    ErrorCounted,
    ExposureSpiked,
    FeedNoted,
    FillBooked,
    FundingPaid,
    HeatNoted,
    KillChanged,
    LossExceeded,
    MarketPhaseChanged,
    OperatorActed,
    OrderChanged,
    OrderStuck,
    PhaseChanged,
    Reconciled,
    RegimeChanged,
    ShadowFilled,
    SignalEnded,
    SignalJudged,
    SignalRaised,
    StrategyDecided,
    StrategySwitched,
    TradeClosed,
)
from engine.core.money import text

Value = str | int | None
Columns = dict[str, Value]


def rows_of(fact: AnyFact) -> tuple[str, Sequence[Columns]]:
    """The table a fact belongs to, and its rows there: one, or for a judged signal one a check."""
    table, columns = _TABLES[type(fact)]
    made = columns(fact)
    return table, made if isinstance(made, list) else [made]


def _signal(f: SignalRaised) -> Columns:
    return {
        "signal_id": f.signal_id,
        "raised_ns": f.at_ns,
        "strategy_id": f.strategy_id,
        "symbol": f.symbol,
        "side": f.side.value,
        "entry": text(f.entry),
        "stop": text(f.stop),
        "target": text(f.target),
        "phase": f.phase,
        "regime": f.regime,
        "text": f.text,
    }


def _evaluations(f: SignalJudged) -> list[Columns]:
    return [
        {
            "signal_id": f.signal_id,
            "position": position,
            "layer": check.layer,
            "rule": check.rule,
            "value": text(check.value),
            "limit_value": text(check.limit),
            "ok": int(check.ok),
        }
        for position, check in enumerate(f.checks, start=1)
    ]


def _outcome(f: SignalEnded) -> Columns:
    return {
        "signal_id": f.signal_id,
        "ended_ns": f.at_ns,
        "state": f.state.value,
        "reason_code": f.reason_code.value,
        "text": f.text,
        "value": text(f.value),
        "limit_value": text(f.limit),
        "filled_qty": text(f.filled_qty),
    }


def _decision(f: StrategyDecided) -> Columns:
    return {
        "at_ns": f.at_ns,
        "strategy_id": f.strategy_id,
        "symbol": f.symbol,
        "decision": f.decision.value,
        "text": f.text,
    }


def _order(f: OrderChanged) -> Columns:
    return {
        "order_id": f.order_id,
        "signal_id": f.signal_id,
        "placed_ns": f.at_ns,
        "updated_ns": f.at_ns,
        "strategy_id": f.strategy_id,
        "symbol": f.symbol,
        "purpose": f.purpose.value,
        "kind": f.kind.value,
        "tif": f.tif.value,
        "qty": text(f.qty),
        "price": text(f.price),
        "reduce_only": int(f.reduce_only),
        "state": f.state.value,
        "filled_qty": text(f.filled_qty),
        "average_price": text(f.average_price),
        "reason_code": f.reason_code,
        "text": f.text,
        "venue_order_id": f.venue_order_id,
        "stop_price": text(f.stop_price),
    }


def _amend(f: AmendRequested) -> Columns:
    return {
        "at_ns": f.at_ns,
        "order_id": f.order_id,
        "signal_id": f.signal_id,
        "symbol": f.symbol,
        "qty": text(f.qty),
        "price": text(f.price),
        "stop_price": text(f.stop_price),
        "text": f.text,
    }


def _stuck(f: OrderStuck) -> Columns:
    return {
        "at_ns": f.at_ns,
        "order_id": f.order_id,
        "symbol": f.symbol,
        "purpose": f.purpose.value,
        "state": f.state.value,
        "since_ns": f.since_ns,
    }


def _fill(f: FillBooked) -> Columns:
    return {
        "fill_id": f.fill_id,
        "order_id": f.order_id,
        "signal_id": f.signal_id,
        "filled_ns": f.at_ns,
        "strategy_id": f.strategy_id,
        "symbol": f.symbol,
        "purpose": f.purpose.value,
        "qty": text(f.qty),
        "price": text(f.price),
        "fee": text(f.fee),
        "role": f.role,
        "realized": text(f.realized),
        "expected": text(f.expected),
        "position_qty": text(f.position_qty),
        "order_to_fill_ns": f.order_to_fill_ns,
        "fee_source": f.fee_source,
        "slippage_source": f.slippage_source,
        "late": int(f.late),
        "slippage": None if f.slippage is None else text(f.slippage),
    }


def _trade(f: TradeClosed) -> Columns:
    return {
        "trade_id": f.trade_id,
        "signal_id": f.signal_id,
        "strategy_id": f.strategy_id,
        "symbol": f.symbol,
        "side": f.side.value,
        "qty": text(f.qty),
        "entry_price": text(f.entry_price),
        "exit_price": text(f.exit_price),
        "entry_ns": f.entry_at_ns,
        "exit_ns": f.at_ns,
        "pnl": text(f.pnl),
        "fees": text(f.fees),
        "funding": text(f.funding),
        "exit_reason": f.exit_reason.value,
        "phase": f.phase,
        "regime": f.regime,
    }


def _shadow_fill(f: ShadowFilled) -> Columns:
    return {
        "profile": f.profile,
        "fill_id": f.fill_id,
        "order_id": f.order_id,
        "filled_ns": f.at_ns,
        "symbol": f.symbol,
        "qty": text(f.qty),
        "price": text(f.price),
        "fee": text(f.fee),
        "role": f.role,
        "slippage_source": f.slippage_source,
        "position_qty": text(f.position_qty),
    }


def _liquidation(f: AccountLiquidated) -> Columns:
    return {
        "at_ns": f.at_ns,
        "symbol": f.symbol,
        "order_id": f.order_id,
        "qty": text(f.qty),
        "equity": text(f.equity),
        "margin": text(f.margin),
        "text": f.text,
    }


def _funding(f: FundingPaid) -> Columns:
    return {
        "at_ns": f.at_ns,
        "symbol": f.symbol,
        "qty": text(f.qty),
        "mark": text(f.mark),
        "rate": text(f.rate),
        "amount": text(f.amount),
    }


def _block(f: BlockChanged) -> Columns:
    return {
        "at_ns": f.at_ns,
        "reason": f.reason.value,
        "active": int(f.active),
        "text": f.text,
        "lifts": f.lifts,
        "actor": f.actor,
    }


def _breaker(f: BreakerChanged) -> Columns:
    return {
        "at_ns": f.at_ns,
        "name": f.name.value,
        "tripped": int(f.tripped),
        "value": text(f.value),
        "limit_value": text(f.limit),
        "text": f.text,
        "action": f.action,
    }


def _kill(f: KillChanged) -> Columns:
    return {"at_ns": f.at_ns, "latched": int(f.latched), "source": f.source, "actor": f.actor, "text": f.text}


def _act(f: OperatorActed) -> Columns:
    return {
        "at_ns": f.at_ns,
        "act": f.act,
        "source": f.source,
        "actor": f.actor,
        "text": f.text,
        "accepted": int(f.accepted),
        "before": f.before,
        "after": f.after,
    }


def _phase(f: PhaseChanged) -> Columns:
    return {"at_ns": f.at_ns, "previous": f.previous, "phase": f.phase, "text": f.text}


def _mark(f: EquityMarked) -> Columns:
    return {
        "at_ns": f.at_ns,
        "equity": text(f.equity),
        "cash": text(f.cash),
        "unrealized": text(f.unrealized),
        "realized": text(f.realized),
        "fees": text(f.fees),
        "funding": text(f.funding),
        "exposure": text(f.exposure),
        "heat": text(f.heat),
        "drawdown": text(f.drawdown),
        "regime": f.regime,
        "volatility": text(f.volatility),
        "phases": f.phases,
        "equity_pessimistic": "" if f.equity_pessimistic is None else text(f.equity_pessimistic),
        "equity_optimistic": "" if f.equity_optimistic is None else text(f.equity_optimistic),
    }


def _regime(f: RegimeChanged) -> Columns:
    return {
        "at_ns": f.at_ns,
        "previous": f.previous.value,
        "regime": f.regime.value,
        "raw": f.raw.value,
        "previous_level": text(f.previous_level),
        "level": text(f.level),
        "of_ns": f.of_ns,
        "source": f.source,
        "simulated": int(f.simulated),
        "heat_limit_before": text(f.heat_limit_before),
        "heat_limit": text(f.heat_limit),
        "exposure": text(f.exposure),
        "text": f.text,
    }


def _switch(f: StrategySwitched) -> Columns:
    return {
        "at_ns": f.at_ns,
        "strategy_id": f.strategy_id,
        "enabled": int(f.enabled),
        "regime": f.regime.value,
    }


def _spike(f: ExposureSpiked) -> Columns:
    return {
        "at_ns": f.at_ns,
        "regime": f.regime.value,
        "changed_ns": f.changed_ns,
        "before": text(f.before),
        "exposure": text(f.exposure),
        "rise": text(f.rise),
        "limit_value": text(f.limit),
    }


def _market_phase(f: MarketPhaseChanged) -> Columns:
    return {"at_ns": f.at_ns, "symbol": f.symbol, "previous": f.previous, "phase": f.phase}


def _heat(f: HeatNoted) -> Columns:
    return {"at_ns": f.at_ns, "above": int(f.above), "heat": text(f.heat), "limit_value": text(f.limit)}


def _reconciliation(f: Reconciled) -> Columns:
    return {
        "at_ns": f.at_ns,
        "cause": f.trigger,
        "source": f.source,
        "clean": int(f.clean),
        "differences": f.differences,
        "positions": f.positions,
        "orders": f.orders,
        "cash": "" if f.cash is None else text(f.cash),
    }


def _discrepancy(f: DiscrepancyChanged) -> Columns:
    return {
        "at_ns": f.at_ns,
        "discrepancy_id": f.discrepancy_id,
        "kind": f.kind,
        "subject": f.subject,
        "ours": f.ours,
        "theirs": f.theirs,
        "first_seen_ns": f.first_seen_ns,
        "resolution": f.resolution,
        "actor": f.actor,
        "text": f.text,
    }


def _excess(f: LossExceeded) -> Columns:
    return {
        "at_ns": f.at_ns,
        "trade_id": f.trade_id,
        "signal_id": f.signal_id,
        "strategy_id": f.strategy_id,
        "symbol": f.symbol,
        "exit_reason": f.exit_reason.value,
        "loss": text(f.loss),
        "limit_value": text(f.limit),
    }


def _day(f: DayRolled) -> Columns:
    return {
        "at_ns": f.at_ns,
        "day": f.day,
        "opening_equity": text(f.opening_equity),
        "ended_pnl": text(f.ended_pnl),
        "ended_day": f.ended_day,
        "orders": f.orders,
        "rejects": f.rejects,
    }


def _note(f: FeedNoted) -> Columns:
    return {
        "at_ns": f.at_ns,
        "symbol": f.symbol,
        "kind": f.kind,
        "text": f.text,
        "value": f.value,
        "previous_ns": f.previous_ns,
        "current_ns": f.current_ns,
    }


def _error(f: ErrorCounted) -> Columns:
    return {"at_ns": f.at_ns, "place": f.where, "text": f.text, "fingerprint": f.fingerprint}


_TABLES: Final[dict[type, tuple[str, Callable[..., Columns | list[Columns]]]]] = {
    SignalRaised: ("signals", _signal),
    SignalJudged: ("evaluations", _evaluations),
    SignalEnded: ("outcomes", _outcome),
    StrategyDecided: ("decisions", _decision),
    OrderChanged: ("orders", _order),
    AmendRequested: ("amends", _amend),
    OrderStuck: ("stuck_orders", _stuck),
    FillBooked: ("fills", _fill),
    TradeClosed: ("trades", _trade),
    ShadowFilled: ("shadow_fills", _shadow_fill),
    AccountLiquidated: ("liquidations", _liquidation),
    FundingPaid: ("funding", _funding),
    BlockChanged: ("block_changes", _block),
    BreakerChanged: ("breaker_changes", _breaker),
    KillChanged: ("kill_changes", _kill),
    OperatorActed: ("operator_acts", _act),
    PhaseChanged: ("phase_changes", _phase),
    EquityMarked: ("equity_marks", _mark),
    RegimeChanged: ("regime_changes", _regime),
    StrategySwitched: ("strategy_switches", _switch),
    ExposureSpiked: ("exposure_spikes", _spike),
    MarketPhaseChanged: ("market_phase_changes", _market_phase),
    HeatNoted: ("heat_notes", _heat),
    Reconciled: ("reconciliations", _reconciliation),
    DiscrepancyChanged: ("discrepancy_changes", _discrepancy),
    LossExceeded: ("loss_incidents", _excess),
    DayRolled: ("days", _day),
    FeedNoted: ("feed_notes", _note),
    ErrorCounted: ("errors", _error),
}
# "signal_raised", "order_changed" …: the journal's `kind` of each fact.
FACT_KINDS: Final = frozenset(str(fact.__struct_config__.tag) for fact in _TABLES)  # type: ignore[attr-defined]
_REFERRING: Final = ("outcomes", "evaluations")
GATE_KINDS: Final = ("evidence", "gate", "bypass", "stage", "certificate")
"""The journal's kinds of what the live gate is told, and of what it decides."""
# Every table that is computed from the journal; those that refer to others stand before them.
PROJECTED: Final = (
    *_REFERRING,
    *(table for table, _ in _TABLES.values() if table not in _REFERRING),
    *("positions", "runs", "dead_letter_changes", "protocols", "verdicts", "gate_records", "artifacts"),
)
