"""Everything that can happen to the core: the whole input of a run, in one closed union.

Every event is a fact from outside, frozen, stamped `at_ns` by the shell when it arrived (nanoseconds since 1970, UTC,
never decreasing within a run). Numbers are scaled integers (`engine.core.money`). The journal keeps every event, so
that a run can be driven again through a fresh core; a field added here must have a default.
"""

from enum import StrEnum

import msgspec

from engine.core.config import CoreConfig


class Event(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Base of all events. `array_like` keeps the journal small; order of fields is part of the format."""


# --- market data ---


class Quote(Event, frozen=True, gc=False, array_like=True, tag="q"):
    """Best bid and ask with their displayed sizes. 0 < bid <= ask (equal: a locked market), sizes not negative."""

    symbol: str
    at_ns: int
    venue_ns: int
    bid: int
    ask: int
    bid_qty: int
    ask_qty: int


class Trade(Event, frozen=True, gc=False, array_like=True, tag="t"):
    """One public trade. `side` is the aggressor: 1 bought, -1 sold, 0 unknown; `qty` is above zero."""

    symbol: str
    at_ns: int
    venue_ns: int
    price: int
    qty: int
    side: int = 0


class Book(Event, frozen=True, gc=False, array_like=True, tag="b"):
    """The visible book, whole: (price, qty) levels, bids falling, asks rising, both sides at least one level."""

    symbol: str
    at_ns: int
    venue_ns: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]


class Bar(Event, frozen=True, gc=False, array_like=True, tag="k"):
    """A closed bar. It covers [start_ns, start_ns + span_ns); `volume` is in base units.

    `backfilled` bars were fetched after the fact: they feed indicators and never a signal or a fill.
    """

    symbol: str
    at_ns: int
    start_ns: int
    span_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    backfilled: bool = False


class FundingRate(Event, frozen=True, gc=False, array_like=True, tag="f"):
    """The rate to be settled at `due_ns`, as a scaled fraction of notional; positive: longs pay shorts."""

    symbol: str
    at_ns: int
    rate: int
    due_ns: int


class VolatilityRead(Event, frozen=True, array_like=True, tag="vx"):
    """The newest value of a volatility index, in index points above zero.

    `of_ns` is the moment it stands for and never after `at_ns`: a day's close is not known before the day is over.
    `source` names where it came from; `simulated` values say nothing about a real market.
    """

    at_ns: int
    level: int
    of_ns: int
    source: str
    simulated: bool


class FeedHealth(StrEnum):
    LIVE = "LIVE"
    STALE = "STALE"  # connected or not, nothing has arrived for longer than the limit
    DOWN = "DOWN"  # no connection


class FeedChanged(Event, frozen=True, array_like=True, tag="fc"):
    """The feed's health changed; an empty `symbol` means the whole feed. `age_ns` is the silence so far."""

    symbol: str
    at_ns: int
    health: FeedHealth
    age_ns: int
    detail: str = ""


class TradingHalted(Event, frozen=True, array_like=True, tag="th"):
    """Trading in `symbol` was halted or goes on: an auction, a volatility halt, a session that closes or opens."""

    symbol: str
    at_ns: int
    halted: bool
    text: str = ""


class InstrumentChanged(Event, frozen=True, array_like=True, tag="ic"):
    """What the venue lists of `symbol` is not what the run began with; `text` says how, empty: it is again."""

    symbol: str
    at_ns: int
    text: str


class GapDetected(Event, frozen=True, array_like=True, tag="gap"):
    """`missing` bars between `prev_ns` and `curr_ns` (bar starts) did not arrive on the stream."""

    symbol: str
    at_ns: int
    missing: int
    prev_ns: int
    curr_ns: int


class DataRejected(Event, frozen=True, array_like=True, tag="dr"):
    """A frame or row the edge refused: counted, said, never used. `where` is the stream or file:line:column."""

    symbol: str
    at_ns: int
    reason: str
    where: str
    count: int = 1


# --- answers of a broker ---


class Role(StrEnum):
    MAKER = "MAKER"
    TAKER = "TAKER"


class OrderAccepted(Event, frozen=True, array_like=True, tag="oa"):
    """The broker has the order and it works."""

    client_order_id: str
    at_ns: int
    venue_order_id: str = ""


class OrderRefused(Event, frozen=True, array_like=True, tag="or"):
    """A definite no to a submit. `code` is one of ours (RejectCode values), `text` the broker's words, cleaned."""

    client_order_id: str
    at_ns: int
    code: str
    text: str = ""


class OrderCanceled(Event, frozen=True, array_like=True, tag="oc"):
    """The order no longer works; what was filled before stays filled. `reason`: requested, post_only, ioc, venue …"""

    client_order_id: str
    at_ns: int
    reason: str = "requested"


class OrderExpired(Event, frozen=True, array_like=True, tag="oe"):
    """The order's time in force ended at the venue."""

    client_order_id: str
    at_ns: int


class CancelRefused(Event, frozen=True, array_like=True, tag="cr"):
    """The cancel did not take: the order may be filled, gone or still working; only evidence tells."""

    client_order_id: str
    at_ns: int
    code: str
    text: str = ""


class OrderAmended(Event, frozen=True, array_like=True, tag="am"):
    """The order now stands at this whole quantity (signed, the filled part included) and these prices."""

    client_order_id: str
    at_ns: int
    qty: int
    price: int
    stop_price: int = 0


class AmendRefused(Event, frozen=True, array_like=True, tag="ar"):
    """A definite no to an amend: the order is what it was before, working or not."""

    client_order_id: str
    at_ns: int
    code: str
    text: str = ""


class Liquidation(Event, frozen=True, array_like=True, tag="lq"):
    """The broker closes a position by an order of its own: `equity` fell below what the positions need (`margin`).

    `qty` is the order's, signed. Its fills follow, under this id.
    """

    client_order_id: str
    at_ns: int
    symbol: str
    qty: int
    equity: int
    margin: int


class OutcomeUnknown(Event, frozen=True, array_like=True, tag="ou"):
    """A submit or cancel ended in no definite answer (timeout, reset, 5xx). Settled by evidence only."""

    client_order_id: str
    at_ns: int
    text: str = ""


class OrderMissing(Event, frozen=True, array_like=True, tag="om"):
    """Venue evidence that the order never arrived: asked for by client id, definitely not known there."""

    client_order_id: str
    at_ns: int


class Fill(Event, frozen=True, array_like=True, tag="fl"):
    """One execution. A fact: never edited, only added; known by (venue, fill_id) and booked once.

    `qty` is signed: positive bought, negative sold, never zero. `fee` is what was paid (negative: a rebate).
    """

    fill_id: str
    client_order_id: str
    symbol: str
    at_ns: int
    venue_ns: int
    qty: int
    price: int
    fee: int
    role: Role
    fee_source: str = "config"
    slippage_source: str = "venue"


# --- the session ---


class SessionPhase(StrEnum):
    """The lifecycle of one run. PAUSED and HALTED are blocks inside RUNNING, not phases."""

    INITIALIZING = "INITIALIZING"
    SEEDING_HISTORY = "SEEDING_HISTORY"
    RUNNING = "RUNNING"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    COMPLETED = "COMPLETED"
    ALREADY_RUNNING = "ALREADY_RUNNING"
    CONFIG_VALIDATION_FAILED = "CONFIG_VALIDATION_FAILED"
    FATAL_ERROR = "FATAL_ERROR"


class RunStarted(Event, frozen=True, array_like=True, tag="rs"):
    """A run begins on the desk's books. Carries all the core needs, so that the journal alone can replay it."""

    at_ns: int
    run_id: str
    config: CoreConfig
    killed: bool = False  # the kill latch, a kill file or variable stood at the start
    kill_source: str = "start"  # file or environment, where one of these stood


class PhaseEntered(Event, frozen=True, array_like=True, tag="pe"):
    """The session moved from one phase to another. `keeps`: it ends, and positions stay with what protects them."""

    at_ns: int
    previous: SessionPhase
    phase: SessionPhase
    reason: str = ""
    keeps: bool = False


class Act(StrEnum):
    """What an operator (or the shell on the desk's behalf) can ask of the core."""

    PAUSE = "pause"
    RESUME = "resume"
    KILL = "kill"
    REARM = "rearm"
    FLATTEN = "flatten"
    RESET_BREAKER = "reset-breaker"
    CANCEL_ALL = "cancel-all"
    CLOSE_ALL = "close-all"  # end of a session: close what is open, exit reason SHUTDOWN
    BLOCK = "block"  # a shell-side reason to stop entries: `subject` names it (journal, unknown order, …)
    UNBLOCK = "unblock"
    ACKNOWLEDGE = "acknowledge"  # somebody has read the alerts
    RECONCILE = "reconcile"  # compare the books now; `subject` names a discrepancy whose other side is adopted


class Command(Event, frozen=True, array_like=True, tag="cmd"):
    """One act. `source` says by which way it came (tui, cli, file, environment, signal, session …), `actor` who."""

    at_ns: int
    act: Act
    source: str
    actor: str
    reason: str = ""
    subject: str = ""


class Wake(Event, frozen=True, gc=False, array_like=True, tag="w"):
    """Time has come: the shell's answer to `WakeAt`, and its proof of passing time when the market is silent."""

    at_ns: int


class ErrorNoted(Event, frozen=True, array_like=True, tag="er"):
    """An error of the shell (a task, a call, a file), counted once."""

    at_ns: int
    where: str
    text: str
    fingerprint: str = ""


class BalanceRead(Event, frozen=True, array_like=True, tag="bal"):
    """What a venue's own broker says of the account: equity, and the margin that is free for new orders."""

    at_ns: int
    equity: int
    free_margin: int
    source: str


class BookPosition(msgspec.Struct, frozen=True, array_like=True):
    """A position as the broker's own books have it; `qty` signed, never zero."""

    symbol: str
    qty: int
    entry_price: int


class BookOrder(msgspec.Struct, frozen=True, array_like=True):
    """A working order as the broker's own books have it; quantities signed, an empty client id: it is not ours."""

    client_order_id: str
    venue_order_id: str
    symbol: str
    qty: int
    filled_qty: int


class AccountRead(Event, frozen=True, array_like=True, tag="acc"):
    """The broker's own books, whole, as of some moment between `asked_ns` and `at_ns`.

    `cash` is what the account holds with every position closed at cost; None while that cannot be told. `trigger` says
    why they were read.
    """

    at_ns: int
    asked_ns: int
    source: str
    trigger: str
    positions: tuple[BookPosition, ...]
    orders: tuple[BookOrder, ...]
    cash: int | None = None


class BrokerReconnected(Event, frozen=True, array_like=True, tag="br"):
    """The broker can be heard again; what it said meanwhile is lost."""

    at_ns: int


MarketEvent = Quote | Trade | Book | Bar | FundingRate
BrokerEvent = (
    OrderAccepted
    | OrderRefused
    | OrderCanceled
    | OrderExpired
    | CancelRefused
    | OrderAmended
    | AmendRefused
    | OutcomeUnknown
    | OrderMissing
    | Liquidation
    | Fill
)
BrokerNews = BrokerEvent | BrokerReconnected
"""What a venue's broker says by itself."""

FeedEvent = MarketEvent | FeedChanged | TradingHalted | InstrumentChanged | GapDetected | DataRejected
SessionEvent = RunStarted | PhaseEntered | Command | Wake | ErrorNoted | BalanceRead | AccountRead
AnyEvent = FeedEvent | VolatilityRead | BrokerNews | SessionEvent
