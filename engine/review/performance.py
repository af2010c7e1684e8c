"""How a desk did over a span of time, in all its figures: of its trades, its equity, what it held, how it ran.

`Performing` is fed with facts in the order of time, those of one run or of many, live or from the journal; whoever has
the same facts gets the same figures. `told` is their JSON. Every figure is defined in docs/measures.md.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from engine.core import money
from engine.core.calendar import Calendar
from engine.core.config import DAY
from engine.core.facts import (
    AnyFact,
    EquityMarked,
    Fact,
    FillBooked,
    PhaseChanged,
    ShadowFilled,
    SignalEnded,
    TradeClosed,
)
from engine.review import incidents, returns, running
from engine.review.drawdown import Drawdown, drawdown, points_of
from engine.review.holding import Holding, HoldingFigures
from engine.review.incidents import Incidents
from engine.review.measure import Interval, Measure, quotient
from engine.review.measure import told as measures_told
from engine.review.metrics import Summary, summary, undefined
from engine.review.moments import instant
from engine.review.proportions import clopper_pearson, wilson
from engine.review.returns import ReturnFigures, daily_equity
from engine.review.running import Running, Span
from engine.review.shadowed import ProfileFigures, Shadowed

KINDS: Final[tuple[type[Fact], ...]] = (
    *(EquityMarked, TradeClosed, FillBooked, ShadowFilled, PhaseChanged, SignalEnded),
    *incidents.KINDS,
)
"""The facts these figures are made of."""

_TELLING: Final = frozenset(incidents.KINDS)
_SECOND_NS: Final = 1_000_000_000
_AMOUNTS: Final = ("gross_profit", "gross_loss", "expectancy", "average_win", "average_loss", "best", "worst")


class Performance(msgspec.Struct, frozen=True):
    """All figures of a span of time.

    Attributes:
        win_rate_interval: Where the true hit rate is at 95 %, by Wilson; None without trades.
        win_rate_exact: The same by Clopper and Pearson.
        trades_a_day: Closed trades per 24 hours of the span.
        daily: Of the desk's own equity; `daily_pessimistic` of that under pessimistic fills, None without shadow books.
        uptime: Share of the span in which the desk ran; `outages` are the rest of it.
        profiles: Own fills beside those of the shadow books.
    """

    begin_ns: int
    end_ns: int
    trades: Summary
    win_rate_interval: Interval | None
    win_rate_exact: Interval | None
    trades_a_day: Measure
    daily: ReturnFigures
    daily_pessimistic: ReturnFigures | None
    drawdown: Drawdown | None
    drawdown_pessimistic: Drawdown | None
    holding: HoldingFigures
    uptime: Measure
    starts: int
    outages: tuple[Span, ...]
    profiles: Mapping[str, ProfileFigures]


class Performing:
    """Collects what `Performance` is made of.

    Args:
        calendar: What a trading day is; UTC days by default.
        begin_ns: Where the span begins; 0: with the first mark.
        held: The symbols that were in the market then.
        ran: Whether the desk was RUNNING then.
    """

    def __init__(
        self,
        calendar: Calendar | None = None,
        begin_ns: int = 0,
        held: frozenset[str] = frozenset(),
        ran: bool = False,
    ) -> None:
        self._calendar = calendar or Calendar()
        self._begin_ns = begin_ns
        self._holding = Holding(begin_ns, held)
        self._running = Running(begin_ns if ran else 0)
        self._shadowed = Shadowed()
        self._last_ns = begin_ns
        self.marks: list[EquityMarked] = []
        self.trades: list[TradeClosed] = []
        self.risks, self.issues = Incidents(), Incidents()
        self.reasons: Counter[str] = Counter()  # of the signals that ended, by reason code

    def take(self, fact: AnyFact) -> None:
        """One fact, in the order of time."""
        if fact.at_ns > self._last_ns:
            self._last_ns = fact.at_ns
        match fact:  # most of them first
            case EquityMarked():
                self.marks.append(fact)
                self._holding.take(fact)
            case SignalEnded():
                self.reasons[fact.reason_code.value] += 1
            case FillBooked():
                self._holding.take(fact)
                self._shadowed.take(fact)
            case ShadowFilled():
                self._shadowed.take(fact)
            case TradeClosed():
                self.trades.append(fact)
            case PhaseChanged():
                self._running.take(fact)
            case _ if type(fact) in _TELLING:
                (self.risks if isinstance(fact, incidents.RISK) else self.issues).take(fact)

    def take_all(self, facts: Iterable[tuple[int, AnyFact]]) -> "Performing":
        """Facts with the number of their run, in the order of time."""
        run = 0
        for number, fact in facts:
            if run and number != run:
                self._running.new_run(self._last_ns)
            run = number
            self.take(fact)
        return self

    def figures(self, end_ns: int = 0) -> Performance:
        """All of it, as of the end of the span (0: of the last fact)."""
        marks = self.marks
        begin_ns = self._begin_ns or (marks[0].at_ns if marks else 0)
        end_ns = max(end_ns or self._last_ns, begin_ns)
        spans = self._running.spans(begin_ns, end_ns)
        trades = summary(self.trades, marks, self._calendar)
        worse = pessimistic(marks)
        falls, worse_falls = drawdown(points_of(marks)), drawdown(points_of(worse))
        return Performance(
            begin_ns=begin_ns,
            end_ns=end_ns,
            trades=trades,
            win_rate_interval=wilson(trades.wins, trades.trades),
            win_rate_exact=clopper_pearson(trades.wins, trades.trades),
            trades_a_day=quotient(trades.trades * DAY, end_ns - begin_ns, "no time passed"),
            daily=self._daily(marks, falls),
            daily_pessimistic=self._daily(worse, worse_falls) if worse else None,
            drawdown=falls,
            drawdown_pessimistic=worse_falls,
            holding=self._holding.figures(end_ns),
            uptime=running.uptime(spans, begin_ns, end_ns),
            starts=self._running.starts,
            outages=tuple(running.outages(spans, begin_ns, end_ns)),
            profiles=self._shadowed.figures(),
        )

    def _daily(self, marks: Sequence[EquityMarked], falls: Drawdown | None) -> ReturnFigures:
        a_year = returns.days_a_year(self._calendar)
        return returns.figures(daily_equity(marks, self._calendar), a_year, falls.depth if falls else None)


def pessimistic(marks: Iterable[EquityMarked]) -> list[EquityMarked]:
    """The marks with the equity the pessimistic fills would have left; those without shadow books are left out."""
    return [
        msgspec.structs.replace(mark, equity=mark.equity_pessimistic)
        for mark in marks
        if mark.equity_pessimistic is not None
    ]


# --- as JSON ---


def told(of: Performance) -> dict[str, Any]:
    """Plain JSON values by subject, in reading order; under each `undefined` why a figure is null."""
    return {
        "begin": instant(of.begin_ns),
        "end": instant(of.end_ns),
        "trades": _trades(of),
        "returns": returns_told(of.daily),
        "returns_pessimistic": returns_told(of.daily_pessimistic) if of.daily_pessimistic else None,
        "drawdown": drawdown_told(of.drawdown),
        "drawdown_pessimistic": drawdown_told(of.drawdown_pessimistic),
        "holding": _holding(of.holding),
        "running": {
            **measures_told({"uptime": of.uptime}),
            "starts": of.starts,
            "outages": [{"begin": instant(o.begin_ns), "seconds": _seconds(o.ns)} for o in of.outages],
        },
        "fills_against_profiles": {name: _profile(one) for name, one in of.profiles.items()},
    }


def _trades(of: Performance) -> dict[str, Any]:
    trades = of.trades
    duration = trades.average_duration_ns
    return {
        "trades": trades.trades,
        "wins": trades.wins,
        "losses": trades.losses,
        "net_profit": money.text(trades.net_profit),
        "fees": money.text(trades.fees),
        "funding": money.text(trades.funding),
        "win_rate": _text(trades.win_rate),
        "win_rate_interval": interval_told(of.win_rate_interval),
        "win_rate_exact": interval_told(of.win_rate_exact),
        "profit_factor": _text(trades.profit_factor),
        **{name: _text(getattr(trades, name)) for name in _AMOUNTS},
        "average_duration_seconds": None if duration is None else _seconds(duration),
        "trades_a_day": of.trades_a_day.text,
        "exit_reasons": trades.exit_reasons,
        "undefined": _undefined(of),
    }


def _undefined(of: Performance) -> dict[str, str]:
    why = {name.replace("_ns", "_seconds"): text for name, text in undefined(of.trades).items()}
    return why if of.trades_a_day.value is not None else why | {"trades_a_day": of.trades_a_day.why}


def returns_told(of: ReturnFigures) -> dict[str, Any]:
    """The figures of daily returns: plain JSON values."""
    measures = {name: one for name in of.__struct_fields__ if isinstance(one := getattr(of, name), Measure)}
    return {"days": of.days, "days_a_year": of.days_a_year, **measures_told(measures)}


def drawdown_told(of: Drawdown | None) -> dict[str, Any] | None:
    """The deepest fall: plain JSON values; None without marks."""
    if of is None:
        return None
    return {
        "depth": money.text(of.depth),
        "peak_at": instant(of.peak_ns),
        "trough_at": instant(of.trough_ns),
        "recovered_at": None if of.recovered_ns is None else instant(of.recovered_ns),
        "longest_seconds": _seconds(of.longest_ns),
    }


def interval_told(of: Interval | None) -> dict[str, str] | None:
    """An interval: plain JSON values."""
    return None if of is None else {name: money.text(getattr(of, name)) for name in ("low", "high", "level")}


def _holding(of: HoldingFigures) -> dict[str, Any]:
    measures = {name: one for name in of.__struct_fields__ if isinstance(one := getattr(of, name), Measure)}
    return {
        **measures_told(measures),
        "traded": money.text(of.traded),
        "weights": {name: money.text(share) for name, share in of.weights.items()},
    }


def _profile(of: ProfileFigures) -> dict[str, Any]:
    slipped = of.slippage
    return {
        "orders": 0 if slipped is None else slipped.fills,
        **{name: None if slipped is None else money.text(getattr(slipped, name)) for name in ("mean", "p95", "worst")},
        "worse": of.worse,
        "unfilled": of.unfilled,
    }


def _seconds(ns: int) -> float:
    return round(ns / _SECOND_NS, 3)


def _text(amount: int | None) -> str | None:
    return None if amount is None else money.text(amount)
