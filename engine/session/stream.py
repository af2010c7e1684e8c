"""The event stream, `events.jsonl`: what happened in one run, one JSON object a line, numbered without a hole.

Every line has `seq`, `ts` (UTC, the desk's own time), `event` and `mode`; then the event's fields. Amounts are decimal
strings. The mapping from facts and inputs to events is pure; `EventStream` numbers, samples ticks and writes. Lines go
to the file after the journal has the batch they come from.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.core import money
from engine.core.clean import clean
from engine.core.config import SECOND
from engine.core.events import AnyEvent, Bar, Book, Quote
from engine.core.facts import (
    AccountLiquidated,
    AnyFact,
    BreakerChanged,
    ExposureSpiked,
    FeedNoted,
    FillBooked,
    KillChanged,
    MarketPhaseChanged,
    OrderChanged,
    RegimeChanged,
    SignalEnded,
    StrategySwitched,
    TradeClosed,
)
from engine.core.view import DeskView, NoteView
from engine.core.words import OrderState, ReasonCode, TerminalState
from engine.review.moments import instant
from engine.session.files import LineFile
from engine.session.lines import event_line
from engine.session.ports import Batch
from engine.session.scrub import NOTHING_KNOWN, Scrubber

Event = tuple[str, dict[str, Any]]
"""A name and its fields."""

NAMES: Final = (
    *("SYSTEM_STARTUP", "SYSTEM_SHUTDOWN", "CandleClosed", "TickReceived", "GapDetected", "ORDER_BOOK_STALE"),
    *("OrderSubmitted", "OrderRejected", "ExecutionFill", "ExecutionExit"),
    *("CircuitBreakerTripped", "KillSwitchActivated", "AccountLiquidated", "AsyncHeartbeat"),
    *("RegimeChanged", "StrategySwitched", "ExposureSpiked", "MarketPhaseChanged", "WeekEnded"),
)
WEEK_FIELDS: Final = (
    *("week", "first_day", "last_day", "starting_equity", "ending_equity", "net_pnl", "fees_total", "funding_total"),
    *("trades", "wins", "max_drawdown", "error_count"),
)
TICK_EVERY_NS: Final = SECOND
_BEFORE_AN_ORDER: Final = frozenset({ReasonCode.INTERNAL_ERROR})


def from_input(event: AnyEvent) -> list[Event]:
    """The events one input is: a tick for a quote or book, a candle for a bar closed live; mostly none."""
    match event:
        case Quote():
            return [_tick(event.symbol, event.bid, event.ask)]
        case Book():
            return [_tick(event.symbol, event.bids[0][0], event.asks[0][0])]
        case Bar(backfilled=False):
            closed_ns = event.start_ns + event.span_ns
            fields = {"symbol": clean(event.symbol), "ts": instant(closed_ns), "close": money.text(event.close)}
            return [("CandleClosed", {**fields, "span_seconds": event.span_ns // SECOND})]
        case _:
            return []


def from_fact(fact: AnyFact) -> list[Event]:
    """The events one fact is; mostly none or one."""
    match fact:
        case FillBooked() | TradeClosed() | OrderChanged() | SignalEnded():
            return _from_trading(fact)
        case FeedNoted(kind="GAP_DETECTED"):
            fields = {"prev_ts": instant(fact.previous_ns), "curr_ts": instant(fact.current_ns)}
            return [("GapDetected", {"symbol": clean(fact.symbol), "missing_count": fact.value, **fields})]
        case FeedNoted(kind="ORDER_BOOK_STALE"):
            silence = {"timeout": round(fact.value / SECOND, 3), "last_msg": instant(fact.at_ns - fact.value)}
            return [("ORDER_BOOK_STALE", {"symbol": clean(fact.symbol), **silence, "detail": clean(fact.text)})]
        case RegimeChanged() | StrategySwitched() | ExposureSpiked() | MarketPhaseChanged():
            return [_conditions(fact)]
        case BreakerChanged(tripped=True):
            return [("CircuitBreakerTripped", {"reason": fact.name.value, "detail": clean(fact.text)})]
        case AccountLiquidated():
            amounts = {"qty": fact.qty, "equity": fact.equity, "margin": fact.margin}
            told = {"symbol": clean(fact.symbol), "client_order_id": clean(fact.order_id)}
            return [("AccountLiquidated", {**told, **{name: money.text(value) for name, value in amounts.items()}})]
        case KillChanged(latched=True):
            told = {"source": clean(fact.source), "actor": clean(fact.actor), "detail": clean(fact.text)}
            return [("KillSwitchActivated", told)]
        case _:
            return []


def startup(mode: str, config: Mapping[str, Any]) -> Event:
    """`mode` is PAPER or LIVE, `config` the effective configuration (secrets are masked when it is written)."""
    return "SYSTEM_STARTUP", {"mode": mode, "config": dict(config)}


def shutdown(reason: str, exit_code: int) -> Event:
    return "SYSTEM_SHUTDOWN", {"reason": clean(reason), "exit_code": exit_code}


def week_ended(told: Mapping[str, Any]) -> Event:
    """The heads of a week's summary; the whole of it is in its file."""
    return "WeekEnded", {name: told[name] for name in WEEK_FIELDS}


def heartbeat(view: DeskView) -> Event:
    """The desk's beat; `price` and `pos` are of the first symbol, `positions` (signed quantities) of all."""
    feed = view.feeds[0] if view.feeds else None
    held = {clean(position.symbol): money.text(position.qty) for position in view.positions}
    first = next((position for position in view.positions if feed and position.symbol == feed.symbol), None)
    return "AsyncHeartbeat", {
        "symbol": clean(feed.symbol) if feed else "",
        "price": money.text((feed.bid + feed.ask) >> 1) if feed and feed.bid else None,
        "pos": first.side.value if first else "FLAT",
        "positions": held,
        "equity": money.text(view.equity),
        "unrealized": money.text(view.unrealized),
        "elapsed": round(view.elapsed_ns / SECOND, 3),
        "healthy": not view.heartbeat.unhealthy,
        "unhealthy": [clean(text) for text in view.heartbeat.unhealthy],
        "work_ages": {work.name: round(work.age_ns / SECOND, 1) for work in view.heartbeat.works},
    }


class EventStream:
    """One run's `events.jsonl`. Belongs to one thread; writing happens in another.

    `tick_every_ns` is how often, by the events' own time, a tick of each symbol is written. A run at full speed should
    sample far more sparsely (a minute) and be `patient`, so that it waits for the disk instead of losing lines.

    Attributes:
        seq: Number of the newest line, counting from 1; a line that is lost leaves a hole and counts in `lost`.
    """

    def __init__(
        self,
        path: Path,
        env: str,
        scrubber: Scrubber = NOTHING_KNOWN,
        *,
        patient: bool = False,
        tick_every_ns: int = TICK_EVERY_NS,
    ) -> None:
        self.seq = 0
        self._mode = env.upper()
        self._scrubber = scrubber
        self._file = LineFile(path, patient=patient)
        self._tick_every_ns = tick_every_ns
        self._tick_due_ns: dict[str, int] = {}
        self._encode = msgspec.json.Encoder().encode

    @property
    def lost(self) -> int:
        return self._file.lost

    def append_event(self, at_ns: int, event: Event) -> None:
        """Number and queue one event; its strings are scrubbed."""
        name, fields = event
        self._put(at_ns, name, self._scrubber.value(fields))

    def written(self, batch: Batch) -> None:
        """Tell a batch that is durable: each input's events, then those of the facts it led to."""
        facts, next_fact = batch.facts, 0
        fact_seq = facts[0][0] if facts else -1
        due, every = self._tick_due_ns, self._tick_every_ns
        for seq, event in enumerate(batch.inputs, batch.first_seq):
            kind = type(event)
            if kind is Quote or kind is Book:
                assert isinstance(event, Quote | Book)
                if event.at_ns >= due.get(event.symbol, 0):
                    due[event.symbol] = event.at_ns - event.at_ns % every + every
                    self._tell_input(event)
            elif kind is Bar:
                self._tell_input(event)
            while seq == fact_seq:
                fact = facts[next_fact][1]
                for told in from_fact(fact):
                    self.append_event(fact.at_ns, told)
                next_fact += 1
                fact_seq = facts[next_fact][0] if next_fact < len(facts) else -1

    def flush(self) -> bool:
        """Write what waits, here and now; False if the disk refused."""
        return self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _tell_input(self, event: AnyEvent) -> None:
        for name, fields in from_input(event):
            self._put(event.at_ns, name, fields)  # a symbol and numbers: nothing to scrub

    def _put(self, at_ns: int, name: str, fields: dict[str, Any]) -> None:
        self.seq += 1
        head = {"seq": self.seq, "ts": instant(at_ns), "event": name, "mode": self._mode}
        self._file.put(self._encode(head | fields) + b"\n")


class SessionLog:
    """One run's `session.log`: what a person watching would have seen, as plain lines."""

    def __init__(self, path: Path, scrubber: Scrubber = NOTHING_KNOWN, *, patient: bool = False) -> None:
        self._scrubber = scrubber
        self._file = LineFile(path, patient=patient)

    @property
    def lost(self) -> int:
        return self._file.lost

    def say(self, text: str) -> None:
        """Add a line of text; secrets and control characters are taken out."""
        self._file.put(f"{self._scrubber.text(text)}\n".encode(errors="replace"))

    def tell(self, told: NoteView) -> None:
        """Add an event of the desk."""
        self.say(event_line(told))

    def flush(self) -> bool:
        return self._file.flush()

    def close(self) -> None:
        self._file.close()


def _from_trading(fact: FillBooked | TradeClosed | OrderChanged | SignalEnded) -> list[Event]:
    symbol = {"symbol": clean(fact.symbol)}
    match fact:
        case FillBooked():
            return [("ExecutionFill", symbol | _fill(fact))]
        case TradeClosed():
            made = {"price": money.text(fact.exit_price), "pnl": money.text(fact.pnl), "trade_id": fact.trade_id}
            return [("ExecutionExit", {**symbol, "reason": fact.exit_reason.value, **made})]
        case OrderChanged(previous=OrderState.NEW, state=OrderState.SUBMITTED):
            return [("OrderSubmitted", symbol | _order(fact))]
        case OrderChanged(state=OrderState.REJECTED):
            refused = {"reason": clean(fact.reason_code or fact.text), "by": "broker", "detail": clean(fact.text)}
            notional = {"notional": money.text(abs(money.mul(fact.qty, fact.price)))} if fact.price else {}
            return [("OrderRejected", {**symbol, **refused, **notional, "client_order_id": fact.order_id})]
        case SignalEnded(state=TerminalState.REJECTED_BY_BROKER) if _refused_by_the_desk(fact):
            refused = {"reason": fact.reason_code.value, "by": "desk", "detail": clean(fact.text)}
            notional = {"notional": money.text(fact.value)} if fact.reason_code is ReasonCode.NOTIONAL else {}
            return [("OrderRejected", {**symbol, **refused, **notional, "signal_id": fact.signal_id})]
        case _:
            return []


def _conditions(fact: RegimeChanged | StrategySwitched | ExposureSpiked | MarketPhaseChanged) -> Event:
    match fact:
        case RegimeChanged():
            regimes = {"previous": fact.previous.value, "regime": fact.regime.value, "raw": fact.raw.value}
            levels = {"previous_level": money.text(fact.previous_level), "level": money.text(fact.level)}
            origin = {"of": instant(fact.of_ns), "source": clean(fact.source), "simulated": fact.simulated}
            limits = {"heat_limit_before": money.text(fact.heat_limit_before)}
            limits |= {"heat_limit": money.text(fact.heat_limit), "exposure": money.text(fact.exposure)}
            return "RegimeChanged", regimes | levels | origin | limits
        case StrategySwitched():
            switched = {"strategy_id": clean(fact.strategy_id), "enabled": fact.enabled, "regime": fact.regime.value}
            return "StrategySwitched", switched
        case ExposureSpiked():
            amounts = {"before": money.text(fact.before), "exposure": money.text(fact.exposure)}
            bounds = {"rise": money.text(fact.rise), "limit": money.text(fact.limit)}
            return "ExposureSpiked", {"regime": fact.regime.value, **amounts, **bounds}
        case MarketPhaseChanged():
            return "MarketPhaseChanged", {"symbol": clean(fact.symbol), "previous": fact.previous, "phase": fact.phase}


def _refused_by_the_desk(fact: SignalEnded) -> bool:
    """Whether the desk itself refused, before there was an order: a rule names the value and its limit."""
    return bool(fact.value or fact.limit) or fact.reason_code in _BEFORE_AN_ORDER


def _tick(symbol: str, bid: int, ask: int) -> Event:
    return "TickReceived", {"symbol": clean(symbol), "bid": money.text(bid), "ask": money.text(ask)}


def _order(fact: OrderChanged) -> dict[str, Any]:
    return {
        "client_order_id": fact.order_id,
        "side": _side(fact.qty),
        "qty": money.text(abs(fact.qty)),
        "kind": fact.kind.value,
        "price": money.text(fact.price) if fact.price else None,
        "stop_price": money.text(fact.stop_price) if fact.stop_price else None,
        "purpose": fact.purpose.value,
    }


def _fill(fact: FillBooked) -> dict[str, Any]:
    return {
        "side": _side(fact.qty),
        "price": money.text(fact.price),
        "qty": money.text(abs(fact.qty)),
        "fees": money.text(fact.fee),
        "at": instant(fact.at_ns),
        "client_order_id": fact.order_id,
        "fill_id": clean(fact.fill_id),
        "role": fact.role,
        "purpose": fact.purpose.value,
    }


def _side(qty: int) -> str:
    return "BUY" if qty > 0 else "SELL"
