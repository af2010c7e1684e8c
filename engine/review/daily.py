"""The artifact of a trading day, `artifacts/2026-01-31.json`: plain JSON values.

`artifact` is a pure function of the day's facts and of what was `given` with them (the level of the live gate, the
version, where the data came from), which the seal of the day keeps beside its hash.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from engine.core import money
from engine.core.facts import EquityMarked, FeedNoted, SignalEnded
from engine.core.words import TerminalState
from engine.review import daily_metrics, zero_trades
from engine.review.conditions import Lasting, transition_told
from engine.review.day import Day
from engine.review.dealing import reject_rate
from engine.review.metrics import summary
from engine.review.moments import instant

SCHEMA: Final = 1
"""Version of the artifact's shape; raised when a key changes its meaning."""

NOT_OBSERVED: Final = "not observed"
REJECTIONS_LISTED: Final = 500
_SECOND_NS: Final = 1_000_000_000


def artifact(day: Day, env: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The day, keys in reading order. `given` has at least `gate_level`."""
    day.freedom.end(day.end_ns)
    zero = zero_trades.told(day)
    if zero is not None:
        zero_trades.note(day, zero)
    opening, closing = day.opening, day.closing
    return {
        "schema": SCHEMA,
        "day": day.rows.name,
        "env": env,
        "state": "over" if day.rows.is_over else "open",
        "late": day.is_late,
        "began_at": None if day.rows.missed else instant(day.begin_ns),
        "ended_at": instant(day.end_ns),
        "journal": {"first_row": day.rows.first_row, "last_row": day.rows.last_row},
        "given": dict(given),
        "gate_level": given["gate_level"],
        "equity": {
            "opening": money.text(opening),
            "closing": money.text(closing),
            "net_pnl": money.text(closing - opening),
            "realized_pnl": money.text(day.realized),
            "fees": money.text(day.fees),
            "funding": money.text(day.funding),
        },
        "market_regime": _regime(day),
        "market_phases": _phases(day.marks),
        "signals": _signals(day),
        "trades": _trades(day),
        "zero_trade_day": zero,
        "risk": _risk(day),
        "positions": _positions(day),
        "system": _system(day),
        "metrics": daily_metrics.told(day),
        "incidents_count": day.incidents.count,
        "incidents": day.incidents.all,
        "problems": _problems(day),
    }


def text_of(told: Mapping[str, Any]) -> bytes:
    """The artifact as it is written, byte for byte."""
    return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def seal(text: bytes) -> str:
    """What the journal keeps of an artifact: the SHA-256 of its bytes, hex."""
    return sha256(text).hexdigest()


# --- the parts ---


def _regime(day: Day) -> dict[str, Any]:
    """Level and class as marked last; transitions were observed only where the level came from a real source."""
    last = day.marks[-1] if day.marks else day.carried.mark
    observed = sum(not one.simulated for one in day.transitions)
    return {
        "level": money.text(last.volatility) if last and last.volatility else None,
        "classification": (last.regime if last else "") or "UNKNOWN",
        "seconds": _lasting(day.marks, lambda mark: {"": mark.regime or "UNKNOWN"}),
        "transitions": [transition_told(one) for one in day.transitions],
        "transitions_observed": observed,
        "transitions_simulated": len(day.transitions) - observed,
        "observation": f"{observed} observed" if observed else NOT_OBSERVED,
    }


def _phases(marks: Sequence[EquityMarked]) -> dict[str, Any]:
    return {"at_end": _phases_of(marks[-1]) if marks else {}, "seconds": _lasting(marks, _phases_of)}


def _phases_of(mark: EquityMarked) -> dict[str, str]:
    groups = (group.partition(":") for group in mark.phases.split())
    return {symbol: phase for phase, _, symbols in groups for symbol in symbols.split(",")}


def _lasting(marks: Sequence[EquityMarked], states: Any) -> dict[str, float]:
    """Seconds in each state from the first mark to the last, everything that has one summed."""
    lasting = Lasting()
    for mark in marks:
        for thing, state in states(mark).items():
            lasting.change(thing, state, mark.at_ns)
    sums = lasting.until(marks[-1].at_ns) if marks else {}
    return {state: _seconds(ns) for state, ns in sorted(sums.items())}


def _signals(day: Day) -> dict[str, Any]:
    """Raw signals are those raised; each ends once, executed or rejected with its reason."""
    states = Counter(one.state.value for one in day.ended)
    reasons = Counter(one.reason_code.value for one in day.ended if one.state is not TerminalState.EXECUTED)
    rejected = [one for one in day.ended if one.state is not TerminalState.EXECUTED]
    return {
        "raw": day.count["signals"],
        "in_flight_before": len(day.carried.in_flight),
        "executed": states[TerminalState.EXECUTED.value],
        "rejected": {state.value: states[state.value] for state in TerminalState if state != TerminalState.EXECUTED},
        "rejected_count": len(rejected),
        "rejected_for": dict(sorted(reasons.items(), key=lambda one: (-one[1], one[0]))),
        "in_flight_after": len(day.in_flight),
        "rejections": [_rejection(one) for one in rejected[:REJECTIONS_LISTED]],
    }


def _rejection(ended: SignalEnded) -> dict[str, str]:
    return {
        "at": instant(ended.at_ns) or "",
        "signal_id": ended.signal_id,
        "strategy_id": ended.strategy_id,
        "symbol": ended.symbol,
        "state": ended.state.value,
        "reason": ended.reason_code.value,
        "text": ended.text,
    }


def _trades(day: Day) -> dict[str, Any]:
    of = summary(day.trades, day.marks)
    return {
        "placed": day.count["placed"],
        "filled": day.count["filled"],
        "rejected": day.count["refused"],
        "reject_rate": reject_rate(day.count["placed"], day.count["refused"]),
        "fills": len(day.fills),
        "closed": of.trades,
        "wins": of.wins,
        "losses": of.losses,
        "net_profit": money.text(of.net_profit),
        "exit_reasons": of.exit_reasons,
        "list": [
            {
                "trade_id": one.trade_id,
                "symbol": one.symbol,
                "side": one.side.value,
                "strategy_id": one.strategy_id,
                "qty": money.text(one.qty),
                "entry_at": instant(one.entry_at_ns),
                "entry_price": money.text(one.entry_price),
                "exit_at": instant(one.at_ns),
                "exit_price": money.text(one.exit_price),
                "exit_reason": one.exit_reason.value,
                "pnl": money.text(one.pnl),
            }
            for one in day.trades
        ],
    }


def _risk(day: Day) -> dict[str, Any]:
    last = day.marks[-1] if day.marks else day.carried.mark
    return {
        "heat": money.text(last.heat if last else 0),
        "heat_max": money.text(max((mark.heat for mark in day.marks), default=0)),
        "pnl": money.text(day.closing - day.opening),
        "drawdown": money.text(last.drawdown if last else 0),
        "drawdown_max": money.text(max((mark.drawdown for mark in day.marks), default=0)),
        "circuit_breakers": {
            "tripped_at_end": sorted(day.tripped),
            "trips": [{"at": instant(t.at_ns), "breaker": t.name.value, "text": t.text} for t in day.trips],
            "observation": f"{len(day.trips)} observed" if day.trips else NOT_OBSERVED,
        },
        "kill_latched": day.killed,
    }


def _positions(day: Day) -> dict[str, Any]:
    last = day.marks[-1] if day.marks else day.carried.mark
    return {
        "open": [
            {"symbol": symbol, "qty": money.text(held.qty), "entry_price": money.text(money.div(held.cost, held.qty))}
            for symbol, held in sorted(day.positions.items())
        ],
        "unrealized_pnl": money.text(last.unrealized if last else 0),
        "exposure": money.text(last.exposure if last else 0),
    }


def _system(day: Day) -> dict[str, Any]:
    freedom = day.freedom
    return {
        "runtime_seconds": _seconds(freedom.ran_ns),
        "free_seconds": _seconds(freedom.free_ns),
        "runs_begun": freedom.starts,
        "blocks_at_end": list(freedom.blocks),
        "operator_acts": day.count["acts"],
        "errors": day.count["errors"],
        "data_freshness": _freshness(day.feed),
    }


def _freshness(feed: Sequence[FeedNoted]) -> dict[str, Any]:
    kinds = Counter(one.kind for one in feed)
    silences = [one.value for one in feed if one.kind == "ORDER_BOOK_STALE"]
    return {
        "silences": kinds["ORDER_BOOK_STALE"],
        "gaps": kinds["GAP_DETECTED"],
        "refused": kinds["DATA_REJECTED"],
        "longest_silence_seconds": _seconds(max(silences, default=0)),
        "by_kind": dict(sorted(kinds.items())),
    }


def _problems(day: Day) -> list[str]:
    """What in the day contradicts itself, one sentence each."""
    found = [f"signal {one} ended and was not in flight" for one in day.unraised]
    over = day.over
    if over is not None and not day.rows.missed and over.opening_equity - day.opening != over.ended_pnl:
        found.append(
            f"the roll says {money.text(over.ended_pnl)}, equity moved by {money.text(day.closing - day.opening)}"
        )
    if over is not None and over.orders != day.count["placed"]:
        found.append(f"the roll says {over.orders} orders, {day.count['placed']} are on record")
    return found


def _seconds(ns: int) -> float:
    return round(ns / _SECOND_NS, 3)
