"""The weeks of a desk: what the trading days of each came to, told once it is over.

A week is the trading days of one ISO week, Monday to Sunday by the date a day is named by: seven of a market that never
closes, five of an exchange's. It is over when a day of another week begins. Its facts are those of the journal behind
the roll that began its first day, up to the roll that ended its last, however many runs wrote them. Nothing else goes
into it, so whoever has the database gets the same text again, to the last digit.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from engine.core import money
from engine.core.events import SessionPhase
from engine.core.facts import (
    AnyFact,
    BreakerChanged,
    DayRolled,
    EquityMarked,
    ErrorCounted,
    FeedNoted,
    FillBooked,
    FundingPaid,
    KillChanged,
    OperatorActed,
    PhaseChanged,
    SignalEnded,
    SignalRaised,
    TradeClosed,
)
from engine.core.operator import intervenes
from engine.core.view import ErrorView
from engine.core.words import TerminalState
from engine.review.dealing import reject_rate
from engine.review.metrics import Summary, summary
from engine.review.moments import date_text, instant
from engine.review.report import errors_json

SCHEMA: Final = 1
"""Version of the summary's shape; raised when a key changes its meaning."""

KINDS: Final = (
    *(DayRolled, EquityMarked, TradeClosed, FillBooked, FundingPaid, SignalRaised, SignalEnded),
    *(BreakerChanged, KillChanged, OperatorActed, PhaseChanged, FeedNoted, ErrorCounted),
)
"""The facts a week is made of."""

_AMOUNTS: Final = ("gross_profit", "gross_loss", "expectancy", "average_win", "average_loss", "best", "worst")
_RATIOS: Final = ("win_rate", "profit_factor", "sharpe", "max_drawdown")
_SECOND_NS: Final = 1_000_000_000


class WeekRows(NamedTuple):
    """A week that is over: its name, and the journal rows of the rolls that began its first day and ended its last."""

    name: str
    first_row: int
    last_row: int


def name_of(day: int) -> str:
    """The ISO week of a trading day (days since 1970), as 2026-W05."""
    year, week, _ = (date(1970, 1, 1) + timedelta(day)).isocalendar()
    return f"{year}-W{week:02d}"


def ended(rolls: Sequence[tuple[int, int]]) -> list[WeekRows]:
    """The weeks that are over by these rolls, (journal row, the day that began), in their order."""
    found: list[WeekRows] = []
    name, first_row = "", 0
    for row, day in rolls:
        begun = name_of(day)
        if begun == name:
            continue
        if name:
            found.append(WeekRows(name, first_row, row))
        name, first_row = begun, row
    return found


class Week:
    """Collects one week's facts, the roll that began it first and the one that ended it last."""

    def __init__(self, rows: WeekRows) -> None:
        self._rows = rows
        self._rolls: list[DayRolled] = []
        self._marks: list[EquityMarked] = []
        self._trades: list[TradeClosed] = []
        self._trips: list[BreakerChanged] = []
        self._errors: dict[str, ErrorView] = {}
        self._signals: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._count: Counter[str] = Counter()
        self._realized = self._fees = self._funding = 0

    def take(self, fact: AnyFact) -> None:
        """One fact, in the journal's order."""
        match fact:
            case DayRolled():
                self._rolls.append(fact)
            case EquityMarked():
                self._marks.append(fact)
            case TradeClosed():
                self._trades.append(fact)
            case FillBooked():
                self._count["fills"] += 1
                self._realized += fact.realized
                self._fees += fact.fee
            case FundingPaid():
                self._funding += fact.amount
            case SignalEnded():
                self._signals[fact.state.value] += 1
                self._reasons[fact.reason_code.value] += 1
            case BreakerChanged(tripped=True):
                self._trips.append(fact)
            case ErrorCounted():
                self._error(fact)
            case _:
                self._count[_counted(fact)] += 1

    def _error(self, fact: ErrorCounted) -> None:
        first = ErrorView(fact.fingerprint, fact.where, fact.text, 0, fact.at_ns, fact.at_ns)
        known = self._errors.get(fact.fingerprint, first)
        self._errors[fact.fingerprint] = msgspec.structs.replace(known, count=known.count + 1, last_ns=fact.at_ns)

    def told(self, env: str) -> dict[str, Any]:
        """The week's summary: plain JSON values, keys in reading order."""
        began, over = self._rolls[0], self._rolls[-1]
        days = self._rolls[1:]
        net = over.opening_equity - began.opening_equity
        of_days = sum(day.ended_pnl for day in days)
        return {
            "schema": SCHEMA,
            "week": self._rows.name,
            "env": env,
            "first_day": date_text(began.day),
            "last_day": date_text(over.ended_day),
            "began_at": instant(began.at_ns),
            "ended_at": instant(over.at_ns),
            "journal": {"first_row": self._rows.first_row, "last_row": self._rows.last_row},
            "starting_equity": money.text(began.opening_equity),
            "ending_equity": money.text(over.opening_equity),
            "net_pnl": money.text(net),
            "realized_pnl": money.text(self._realized),
            "fees_total": money.text(self._fees),
            "funding_total": money.text(self._funding),
            **_performance(summary(self._trades, self._marks)),
            "days": [_day(day) for day in days],
            **self._activity(days),
            **self._health(),
            "problems": [] if net == of_days else [f"its days add up to {money.text(of_days)}, not to its net_pnl"],
        }

    def _activity(self, days: Sequence[DayRolled]) -> dict[str, Any]:
        orders, rejects = sum(day.orders for day in days), sum(day.rejects for day in days)
        ended_as = {state.value: self._signals[state.value] for state in TerminalState}
        return {
            "orders_submitted": orders,
            "fills_count": self._count["fills"],
            "rejects_count": rejects,
            "reject_rate": reject_rate(orders, rejects),
            "signals": {"raised": self._count["signals"], **ended_as},
            "signal_reasons": dict(sorted(self._reasons.items(), key=lambda one: (-one[1], one[0]))),
        }

    def _health(self) -> dict[str, Any]:
        errors = sorted(self._errors.values(), key=lambda one: (-one.count, one.first_ns))
        return {
            "runs_begun": self._count["runs"],
            "operator_acts": self._count["acts"],
            "kills": self._count["kills"],
            "breakers_tripped": [
                {"breaker": trip.name.value, "text": trip.text, "at": instant(trip.at_ns)} for trip in self._trips
            ],
            "error_count": sum(one.count for one in errors),
            "errors": errors_json(errors),
            "gap_count": self._count["gaps"],
            "stale_events": self._count["stale"],
        }


def headline(told: dict[str, Any]) -> str:
    """A week's summary in one line, for an alert."""
    trips, errors = len(told["breakers_tripped"]), told["error_count"]
    return (
        f"{told['week']} ({told['first_day']} to {told['last_day']}): net P&L {told['net_pnl']}, equity "
        f"{told['ending_equity']}, {told['trades']} trades, {told['wins']} won, fees {told['fees_total']}, "
        f"{trips} breakers tripped, {errors} errors"
    )


def _counted(fact: AnyFact) -> str:
    """As what a fact is merely counted; empty: not at all."""
    match fact:
        case SignalRaised():
            return "signals"
        case PhaseChanged(phase=SessionPhase.RUNNING.value):
            return "runs"
        case OperatorActed() if intervenes(fact.source, fact.act):
            return "acts"
        case KillChanged(latched=True):
            return "kills"
        case FeedNoted(kind="GAP_DETECTED"):
            return "gaps"
        case FeedNoted(kind="ORDER_BOOK_STALE"):
            return "stale"
        case _:
            return ""


def _day(day: DayRolled) -> dict[str, Any]:
    return {
        "day": date_text(day.ended_day),
        "net_pnl": money.text(day.ended_pnl),
        "ending_equity": money.text(day.opening_equity),
        "orders_submitted": day.orders,
        "rejects_count": day.rejects,
    }


def _performance(of: Summary) -> dict[str, Any]:
    """The figures of the trades closed in the week, and of its equity marks; None where there is nothing to measure."""
    duration = of.average_duration_ns
    return {
        "trades": of.trades,
        "wins": of.wins,
        "losses": of.losses,
        **{name: _text(getattr(of, name)) for name in (*_AMOUNTS, *_RATIOS)},
        "average_duration_seconds": None if duration is None else round(duration / _SECOND_NS, 3),
        "exit_reasons": of.exit_reasons,
    }


def _text(amount: int | None) -> str | None:
    return None if amount is None else money.text(amount)
