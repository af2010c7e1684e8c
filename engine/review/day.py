"""One trading day of a desk: what it was made of, told once it is over, or so far.

Its facts are those of the journal behind the roll that began it, up to the roll that ended it, however many runs wrote
them; what it began with is `Carried`. Together with the few things the journal does not know (`given`) that is all that
goes into it, so whoever has the database gets the same text again, to the last digit.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from engine.core import money
from engine.core.facts import (
    AnyFact,
    BreakerChanged,
    DayRolled,
    EquityMarked,
    ErrorCounted,
    Fact,
    FeedNoted,
    FillBooked,
    FundingPaid,
    KillChanged,
    MarketPhaseChanged,
    OperatorActed,
    OrderChanged,
    PhaseChanged,
    RegimeChanged,
    SignalEnded,
    SignalJudged,
    SignalRaised,
    TradeClosed,
)
from engine.core.operator import intervenes
from engine.core.times import DAY
from engine.core.words import OrderState
from engine.review import incidents
from engine.review.freedom import Freedom
from engine.review.incidents import Incidents
from engine.review.moments import date_text
from engine.review.returns import CONTINUOUS_DAYS, EXCHANGE_DAYS

KINDS: Final[tuple[type[Fact], ...]] = tuple(
    dict.fromkeys(
        (
            *(DayRolled, EquityMarked, TradeClosed, FillBooked, FundingPaid, SignalRaised, SignalJudged, SignalEnded),
            *(OperatorActed, PhaseChanged, MarketPhaseChanged, RegimeChanged, *incidents.KINDS),
        )
    )
)
"""The facts a day is made of."""

CORRELATION: Final = "correlation"
"""The rule whose measurements say how alike the desk's positions were."""
CLOSINGS_KEPT: Final = 20
LATE_NS: Final = 600_000_000_000
"""A day that is rolled this long after it was over was ended by a later start."""


class DayRows(NamedTuple):
    """A day by its journal rows: of the roll that began it, and of the one that ended it (or the newest, so far).

    `missed`: the desk saw nothing of it, and both rows are those of the roll behind it.
    """

    day: int
    first_row: int
    last_row: int
    is_over: bool
    missed: bool = False

    @property
    def name(self) -> str:
        """The day as a date, 2026-01-31."""
        return date_text(self.day)


class Held(msgspec.Struct, frozen=True):
    """An open position: units (signed) and what they cost, signed like them."""

    qty: int
    cost: int


class Carried(msgspec.Struct, frozen=True):
    """How things stood when the day began.

    Attributes:
        closings: Opening equity of this and of the days before, oldest first, at most 20; the desk's first is `first`.
        in_flight: Ids of the signals that had not ended.
    """

    ran: bool = False
    killed: bool = False
    blocks: tuple[str, ...] = ()
    tripped: tuple[str, ...] = ()
    positions: Mapping[str, Held] = {}
    mark: EquityMarked | None = None
    first: int = 0
    closings: tuple[int, ...] = ()
    in_flight: tuple[str, ...] = ()


class Day:
    """Collects one day: feed it the roll that began it first, then its facts with the number of their run."""

    def __init__(self, rows: DayRows, carried: Carried, due_ns: int) -> None:
        self.rows = rows
        self.carried = carried
        self.due_ns = due_ns
        self.rolls: list[DayRolled] = []
        self.marks: list[EquityMarked] = []
        self.trades: list[TradeClosed] = []
        self.fills: list[FillBooked] = []
        self.ended: list[SignalEnded] = []
        self.transitions: list[RegimeChanged] = []
        self.trips: list[BreakerChanged] = []
        self.feed: list[FeedNoted] = []
        self.positions = dict(carried.positions)
        self.tripped = dict.fromkeys(carried.tripped)
        self.killed = carried.killed
        self.incidents = Incidents()
        self.freedom = Freedom(0, due_ns, carried.ran, carried.blocks)
        self.runs: list[int] = []
        self.count: Counter[str] = Counter()
        self.funding = self.fees = self.realized = 0
        self.correlation: int | None = None
        self.in_flight = dict.fromkeys(carried.in_flight)
        self.unraised: list[str] = []  # signals that ended and were not in flight
        self.last_ns = 0

    def take(self, run: int, fact: AnyFact) -> None:
        """One fact, in the journal's order."""
        if not self.rolls:
            assert isinstance(fact, DayRolled)
            self.freedom = Freedom(fact.at_ns, self.due_ns, self.carried.ran, self.carried.blocks)
        if run not in self.runs:
            if self.runs:
                self.freedom.new_run()
            self.runs.append(run)
        self.last_ns = max(self.last_ns, fact.at_ns)
        self.freedom.take(fact)
        self.incidents.take(fact)
        self._keep(fact)

    def _keep(self, fact: AnyFact) -> None:
        match fact:
            case DayRolled():
                self.rolls.append(fact)
            case EquityMarked():
                self.marks.append(fact)
            case TradeClosed():
                self.trades.append(fact)
            case FillBooked():
                self._fill(fact)
            case FundingPaid():
                self.funding += fact.amount
            case SignalRaised():
                self.count["signals"] += 1
                self.in_flight[fact.signal_id] = None
            case SignalEnded():
                self.ended.append(fact)
                if fact.signal_id in self.in_flight:
                    del self.in_flight[fact.signal_id]
                else:
                    self.unraised.append(fact.signal_id)
            case SignalJudged():
                self._judged(fact)
            case OrderChanged():
                self._order(fact)
            case RegimeChanged() if fact.regime is not fact.previous:
                self.transitions.append(fact)
            case BreakerChanged():
                self._breaker(fact)
            case KillChanged():
                self.killed = fact.latched
            case FeedNoted():
                self.feed.append(fact)
            case ErrorCounted():
                self.count["errors"] += 1
            case OperatorActed() if intervenes(fact.source, fact.act):
                self.count["acts"] += 1

    def _fill(self, fill: FillBooked) -> None:
        self.fills.append(fill)
        self.fees += fill.fee
        self.realized += fill.realized
        before = self.positions.pop(fill.symbol, Held(0, 0))
        if fill.position_qty:
            cost = before.cost + money.mul(fill.qty, fill.price) + fill.realized
            self.positions[fill.symbol] = Held(fill.position_qty, cost)

    def _judged(self, judged: SignalJudged) -> None:
        for check in judged.checks:
            if check.rule == CORRELATION:
                self.correlation = check.value if self.correlation is None else max(self.correlation, check.value)

    def _order(self, order: OrderChanged) -> None:
        if order.previous is OrderState.NEW and order.state is OrderState.SUBMITTED:
            self.count["placed"] += 1
        elif order.state is OrderState.FILLED:
            self.count["filled"] += 1
        elif incidents.is_refused(order):
            self.count["refused"] += 1

    def _breaker(self, change: BreakerChanged) -> None:
        if change.tripped:
            self.trips.append(change)
            self.tripped[change.name.value] = None
        else:
            self.tripped.pop(change.name.value, None)

    # --- what it came to ---

    @property
    def opening(self) -> int:
        return self.rolls[0].opening_equity

    @property
    def over(self) -> DayRolled | None:
        """The roll that ended it."""
        return self.rolls[-1] if self.rows.is_over and len(self.rolls) > 1 else None

    @property
    def closing(self) -> int:
        """Equity it ended with, or as it was marked last."""
        if self.over is not None:
            return self.over.opening_equity
        return self.marks[-1].equity if self.marks else self.opening

    @property
    def begin_ns(self) -> int:
        return self.rolls[0].at_ns

    @property
    def end_ns(self) -> int:
        """When it was over by the calendar; of a day that is not over, the newest moment known."""
        return self.due_ns if self.rows.is_over else min(self.last_ns, self.due_ns)

    @property
    def days_a_year(self) -> int:
        """Of a market that never closes a day ends at midnight UTC, of an exchange it never does."""
        return CONTINUOUS_DAYS if self.due_ns % DAY == 0 else EXCHANGE_DAYS

    @property
    def is_late(self) -> bool:
        """Whether the desk was away when it ended, and a later start told it."""
        return self.rows.missed or (self.over is not None and self.over.at_ns >= self.due_ns + LATE_NS)

    @property
    def closings(self) -> Sequence[int]:
        """Equity at the start of the newest days and at the end of this one."""
        return [*self.carried.closings, self.closing][-CLOSINGS_KEPT - 1 :]


def rows_of(rolls: Sequence[tuple[int, DayRolled]], newest_row: int) -> list[DayRows]:
    """All days by these rolls (journal row, roll), in their order: those that are over, those that were missed, the one
    that is on."""
    found: list[DayRows] = []
    for (row, roll), (following, after) in pairwise(rolls):
        found.append(DayRows(roll.day, row, following, is_over=True))
        found += [DayRows(day, following, following, is_over=True, missed=True) for day in after.missed]
    if rolls:
        row, roll = rolls[-1]
        found.append(DayRows(roll.day, row, max(newest_row, row), is_over=False))
    return found


def due_ns(rows: DayRows, over: DayRolled | None) -> int:
    """When a day is over by the calendar, as far as the roll behind it says so; a missed one when that roll's was."""
    if over is None or not over.ended_due_ns:
        return (rows.day + 1) * DAY
    if not rows.missed:
        return over.ended_due_ns
    return rows.day * DAY + (over.ended_due_ns % DAY or DAY)
