"""A desk in JSON, as `nightdesk status --json` and the control socket give it. Amounts are decimal strings."""

from hashlib import blake2b
from typing import Any, Final

import msgspec

from engine.core import money
from engine.core.times import stretch
from engine.core.view import (
    BlockView,
    BreakerView,
    DeskView,
    FeedView,
    OrderView,
    PaperPeriodView,
    PositionView,
    ProtocolView,
    RegimeView,
    WorkView,
)
from engine.core.words import BlockReason
from engine.review.moments import date_text, instant
from engine.review.report import band_json, errors_json
from engine.session.failed_start import FailedStart
from engine.session.live_gate import GATE_LEVEL

STOPPED: Final = "STOPPED"
_TOKEN_BYTES: Final = 4
_SECOND_NS: Final = 1_000_000_000


def status_json(view: DeskView) -> dict[str, Any]:
    """The whole desk for a script: plain JSON values, amounts and ratios as decimal text, times in seconds."""
    return {
        "state": view.phase.value,
        "env": view.env,
        "run_id": view.run_id,
        "pid": view.pid,
        "phase_text": view.phase_text,
        "elapsed_seconds": view.elapsed_ns / _SECOND_NS,
        "duration_seconds": view.duration_ns / _SECOND_NS or None,
        "venue": view.venue,
        "broker": view.broker,
        "source": view.source,
        "clock": view.clock,
        "seed": view.seed,
        "program": view.program or None,
        "kill_latched": view.kill_latched,
        "blocks": [_block(view, block) for block in view.blocks],
        "why": why(view),
        "reconciliation": _reconciliation(view),
        "equity": money.text(view.equity),
        "starting_equity": money.text(view.starting_equity),
        "net_pnl": money.text(view.equity - view.starting_equity),
        "net_pnl_band": band_json(
            view.equity - view.starting_equity, view.net_pnl_pessimistic, view.net_pnl_optimistic
        ),
        "cash": money.text(view.cash),
        "unrealized": money.text(view.unrealized),
        "realized": money.text(view.realized),
        "fees": money.text(view.fees),
        "funding": money.text(view.funding),
        "day_pnl": money.text(view.day_pnl),
        "drawdown": money.text(view.drawdown),
        "exposure": money.text(view.exposure),
        "heat": {"value": money.text(view.heat), "limit": money.text(view.heat_limit)},
        "regime": _regime(view, view.regime),
        "market_phases": dict(view.market_phases),
        "positions": [_position(position) for position in view.positions],
        "orders": [_order(order) for order in view.orders],
        "orders_today": {
            "sent": view.day_orders,
            "rejected": view.day_rejects,
            "reject_rate": money.text(money.div(view.day_rejects, view.day_orders)) if view.day_orders else None,
        },
        "stuck_orders": [order.order_id for order in view.orders if order.stuck],
        "breakers": [_breaker(breaker) for breaker in view.breakers],
        "signals": {"total": view.signals_total, "in_flight": view.signals_in_flight, **view.signals},
        "signal_reasons": dict(view.signal_reasons),
        "trades": view.trades,
        "paper_period": _paper_period(view.paper_period),
        "protocol": protocol_json(view.protocol),
        "market_events": view.market_events,
        "data_refused": [msgspec.structs.asdict(refused) for refused in view.data_refused],
        "errors": errors_json(view.errors),
        "healthy": not view.heartbeat.unhealthy,
        "unhealthy": list(view.heartbeat.unhealthy),
        "warnings": list(view.heartbeat.warnings),
        "failed_start": None,
        "heartbeat": _heartbeat(view),
        "works": [_work(work) for work in view.heartbeat.works],
        "feed_age_seconds": _feed_age(view),
        "feeds": [_feed(view, feed) for feed in view.feeds],
        "gate_level": view.gate_level,
        "journal": {"rows": view.journal_rows, "head": view.journal_head},
    }


def stopped_json(
    env: str,
    *,
    kill_latched: bool,
    kill_file: bool,
    failed: FailedStart | None = None,
    protocol: ProtocolView | None = None,
    gate_level: str = GATE_LEVEL,
) -> dict[str, Any]:
    """The same keys for an environment in which no desk runs; what only a running desk knows is null or empty.

    `failed` is the last start, where that came to nothing; `protocol` one that has begun and not ended,
    `gate_level` what the evidence is worth.
    """
    blocks = (
        [{"reason": "kill", "text": "the kill switch is latched", "lifts": "nightdesk rearm"}] if kill_latched else []
    )
    if kill_file:
        blocks.append({"reason": "kill", "text": "the kill file stands", "lifts": "remove it, then nightdesk rearm"})
    return {
        "state": STOPPED,
        "env": env,
        "run_id": None,
        "pid": None,
        "elapsed_seconds": 0.0,
        "kill_latched": kill_latched or kill_file,
        "blocks": blocks,
        "why": "the desk is not running",
        "equity": None,
        "heat": None,
        "regime": None,
        "market_phases": {},
        "positions": [],
        "breakers": [],
        "data_refused": [],
        "errors": [],
        "signals": {},
        "signal_reasons": {},
        "healthy": False,
        "unhealthy": ["the desk is not running"],
        "warnings": [],
        "failed_start": msgspec.to_builtins(failed),
        "protocol": protocol_json(protocol),
        "heartbeat": None,
        "works": [],
        "feed_age_seconds": None,
        "gate_level": gate_level,
    }


def rearm_token(env: str, latched_ns: int) -> str:
    """What an operator repeats to clear this very latch: eight letters and digits that another kill would change."""
    return blake2b(f"rearm {env} {latched_ns}".encode(), digest_size=_TOKEN_BYTES).hexdigest()


def latched_ns(view: DeskView) -> int | None:
    """When the standing kill was latched; None if nothing is latched."""
    if not view.kill_latched:
        return None
    return next((block.since_ns for block in view.blocks if block.reason == BlockReason.KILL), 0)


def _regime(view: DeskView, regime: RegimeView) -> dict[str, Any]:
    """The regime and the value behind it; level and age are null where there is none."""
    return {
        "regime": regime.regime.value,
        "level": money.text(regime.level) if regime.level else None,
        "age_seconds": _age(view, regime.of_ns),
        "of_ns": regime.of_ns or None,
        "source": regime.source or None,
        "simulated": regime.simulated,
        "since_ns": regime.since_ns or None,
        "heat_share": money.text(regime.heat_share),
        "strategies_off": list(regime.off),
    }


def _position(position: PositionView) -> dict[str, Any]:
    return {
        "symbol": position.symbol,
        "side": position.side.value,
        "qty": money.text(position.qty),
        "entry": money.text(position.entry),
        "mark": money.text(position.mark),
        "unrealized": money.text(position.unrealized),
        "stop": money.text(position.stop),
        "target": money.text(position.target),
        "heat": money.text(position.heat),
        "opened_ns": position.opened_ns,
        "strategy_id": position.strategy_id,
    }


def _order(order: OrderView) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "symbol": order.symbol,
        "purpose": order.purpose,
        "state": order.state,
        "qty": money.text(order.qty),
        "filled_qty": money.text(order.filled_qty),
        "price": money.text(order.price) if order.price else None,
        "stop_price": money.text(order.stop_price) if order.stop_price else None,
        "stuck": order.stuck,
    }


def _paper_period(period: PaperPeriodView | None) -> dict[str, Any] | None:
    return None if period is None else {"start": date_text(period.start_day), "days": period.days}


def protocol_json(protocol: ProtocolView | None) -> dict[str, Any] | None:
    """How a validation protocol stands; None where there is none."""
    if protocol is None:
        return None
    return {
        "name": protocol.name,
        "protocol_id": protocol.protocol_id,
        "started_at": instant(protocol.started_ns) if protocol.started_ns else None,
        "elapsed_seconds": protocol.elapsed_ns / _SECOND_NS,
        "of_seconds": protocol.of_ns / _SECOND_NS,
        "day": protocol.day,
        "days": protocol.days,
        "outages": protocol.outages,
        "rehearsal": list(protocol.rehearsal),
        "criteria": [msgspec.structs.asdict(each) for each in protocol.criteria],
    }


def _reconciliation(view: DeskView) -> dict[str, Any]:
    books = view.reconciliation
    return {
        "compared_at": instant(books.compared_ns) if books.compared_ns else None,
        "agreed_at": instant(books.agreed_ns) if books.agreed_ns else None,
        "clean": books.clean,
        "discrepancies": [
            {
                "id": each.discrepancy_id,
                "kind": each.kind,
                "subject": each.subject,
                "ours": each.ours,
                "theirs": each.theirs,
                "first_seen_at": instant(each.first_seen_ns),
            }
            for each in books.discrepancies
        ],
    }


def _block(view: DeskView, block: BlockView) -> dict[str, Any]:
    return {
        "reason": block.reason,
        "text": block.text,
        "lifts": block.lifts,
        "since_ns": block.since_ns,
        "release_ns": block.release_ns or None,
        "release_seconds": max(block.release_ns - view.at_ns, 0) // _SECOND_NS if block.release_ns else None,
    }


def why(view: DeskView) -> str:
    """Why nothing is entered, in one line: every block and every tripped breaker, and what lifts each."""
    return "; ".join(f"{block.text} (lifted by {block.lifts}{_left(view, block)})" for block in view.blocks)


def _left(view: DeskView, block: BlockView) -> str:
    left_ns = block.release_ns - view.at_ns
    return f", in {stretch(left_ns)}" if left_ns > 0 else ""


def _breaker(breaker: BreakerView) -> dict[str, Any]:
    is_count = breaker.unit == "count"
    return {
        "name": breaker.name,
        "value": breaker.value // money.SCALE if is_count else money.text(breaker.value),
        "limit": breaker.limit // money.SCALE if is_count else money.text(breaker.limit),
        "unit": breaker.unit,
        "used": money.text(breaker.used),
        "tripped": breaker.tripped,
        "action": breaker.action,
        "lifts": breaker.lifts,
        "text": breaker.text,
        "since_ns": breaker.since_ns or None,
        "release_ns": breaker.release_ns or None,
    }


def _text(amount: int | None) -> str | None:
    return None if amount is None else money.text(amount)


def _heartbeat(view: DeskView) -> dict[str, Any]:
    beat = view.heartbeat
    return {
        "count": beat.count,
        "age_seconds": _age(view, beat.last_ns) if view.clock == "wall" else None,
        "max_gap_seconds": beat.max_gap_ns / _SECOND_NS,
        "late_p99_us": beat.late_p99_us,
        "loop_lag_p99_us": beat.loop_lag_p99_us,
        "commit_p99_us": beat.commit_p99_us,
        "decision_p99_us": beat.decision_p99_us,
        "queue_depth": beat.queue_depth,
        "dropped_ticks": beat.dropped_ticks,
        "gap_count": beat.gap_count,
        "stale_events": beat.stale_events,
        "error_count": beat.error_count,
        "rss_mb": round(beat.rss_bytes / 1_000_000, 1),
        "rss_mb_per_hour": None if beat.leak_bytes_hour is None else round(beat.leak_bytes_hour / 1_000_000, 3),
        "descriptors": beat.descriptors,
        "descriptors_per_hour": beat.descriptors_hour,
        "descriptors_max": beat.descriptors_max,
        "threads": beat.threads,
        "disk_free_mb": beat.disk_free_bytes // 1_000_000,
    }


def _work(work: WorkView) -> dict[str, Any]:
    limit = work.limit_ns / _SECOND_NS if work.limit_ns else None
    return {"name": work.name, "age_seconds": round(work.age_ns / _SECOND_NS, 3), "limit_seconds": limit}


def _feed(view: DeskView, feed: FeedView) -> dict[str, Any]:
    return {
        "symbol": feed.symbol,
        "health": feed.health.value,
        "age_seconds": _age(view, feed.last_ns),
        "last_price": money.text(feed.last) if feed.last else None,
        "market_closed": feed.closed,
    }


def _feed_age(view: DeskView) -> float | None:
    """Seconds since the newest market data of any symbol; None before the first."""
    return _age(view, max((feed.last_ns for feed in view.feeds), default=0))


def _age(view: DeskView, at_ns: int) -> float | None:
    return max(view.at_ns - at_ns, 0) / _SECOND_NS if at_ns else None
