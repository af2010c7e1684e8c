"""The artifact of a trading day, `artifacts/2026-01-31.json`, and its row in the metrics: plain JSON values.

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
from engine.review import zero_trades
from engine.review.conditions import Lasting, transition_told
from engine.review.day import Day
from engine.review.dealing import reject_rate, slippage
from engine.review.measure import Measure, missing, quotient
from engine.review.metrics import summary, undefined
from engine.review.moments import instant
from engine.review.returns import daily_returns, rolling_sharpe

SCHEMA: Final = 1
"""Version of the artifact's shape; raised when a key changes its meaning."""

NOT_OBSERVED: Final = "not observed"
REJECTIONS_LISTED: Final = 500
METRICS: Final = (
    *("daily_return", "cumulative_return", "win_rate", "profit_factor", "rolling_sharpe", "max_drawdown"),
    *("portfolio_heat", "exposure_concentration", "correlation", "strategy_weights"),
    *("order_rejection_rate", "execution_slippage", "runtime_stability"),
)
"""The columns of the metrics of days, beside the date."""
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
        "metrics": _metrics(day),
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


def metrics_row(told: Mapping[str, Any]) -> list[str]:
    """The day's row in the metrics: its date, then `METRICS`; empty where there is no figure."""
    return [told["day"], *(told["metrics"][name] or "" for name in METRICS)]


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


def _metrics(day: Day) -> dict[str, Any]:
    of, over = summary(day.trades, day.marks), day.closing
    slipped = slippage([one.slippage for one in day.fills if one.slippage is not None])
    no_trade = undefined(of)
    measures = {
        "daily_return": _change(day.opening, over),
        "cumulative_return": _change(day.carried.first or day.opening, over),
        "win_rate": Measure(of.win_rate, no_trade.get("win_rate", "")),
        "profit_factor": Measure(of.profit_factor, no_trade.get("profit_factor", "")),
        "rolling_sharpe": rolling_sharpe(daily_returns(day.closings), day.days_a_year),
        "max_drawdown": _largest(day, "drawdown"),
        "portfolio_heat": _largest(day, "heat"),
        "exposure_concentration": _concentration(day),
        "correlation": Measure(day.correlation) if day.correlation is not None else missing("nothing was compared"),
        "order_rejection_rate": quotient(day.count["refused"], day.count["placed"], "no order was sent"),
        "execution_slippage": Measure(slipped.mean) if slipped else missing("no fill with an expected price"),
        "runtime_stability": _stability(day),
    }
    texts: dict[str, Any] = {name: one.text for name, one in measures.items()}
    texts["strategy_weights"] = _weights(day)
    why = {name: one.why for name, one in measures.items() if one.value is None}
    if texts["strategy_weights"] is None:
        why["strategy_weights"] = "nothing was traded"
    return {**{name: texts[name] for name in METRICS}, "undefined": why}


def _stability(day: Day) -> Measure:
    """The share of the day in which the desk ran; a day that was missed has all of it behind it, too."""
    return Measure(0) if day.rows.missed else quotient(day.freedom.ran_ns, day.end_ns - day.begin_ns, "no time passed")


def _change(before: int, after: int) -> Measure:
    return quotient(after - before, before, "the account was not above zero")


def _largest(day: Day, name: str) -> Measure:
    values = [getattr(mark, name) for mark in day.marks]
    return Measure(max(values)) if values else missing("equity was never marked")


def _traded(day: Day, name: str) -> Counter[str]:
    values: Counter[str] = Counter()
    for one in day.fills:
        values[getattr(one, name)] += money.mul(abs(one.qty), one.price)
    return values


def _concentration(day: Day) -> Measure:
    values = _traded(day, "symbol")
    return quotient(max(values.values(), default=0), values.total(), "nothing was traded")


def _weights(day: Day) -> str | None:
    values = _traded(day, "strategy_id")
    whole = values.total()
    told = (f"{name} {money.text(money.div(value, whole), 4)}" for name, value in sorted(values.items()))
    return ", ".join(told) if whole else None


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
