"""All the core remembers: plain values only, so that a snapshot is one encoding and a restart one decoding."""

from typing import Final

import msgspec

from engine.core import money
from engine.core.config import CoreConfig
from engine.core.correlation import Returns
from engine.core.events import DataRejected, FeedHealth, Fill, Quote, SessionPhase
from engine.core.ledger import Ledger
from engine.core.orders import Order, slippage
from engine.core.pace import Pace
from engine.core.paper_state import PaperState
from engine.core.phases import MarketPhase, PhaseWindow
from engine.core.positions import Position
from engine.core.strategy import Proposal
from engine.core.view import SignalView
from engine.core.words import BreakerAction, BreakerName, ExitReason, Regime, Side, TerminalState

TIMES_KEPT: Final = 100
"""Moments remembered for a window; far more than any limit."""
CAUSES_MAX: Final = 20
"""Causes for which refused data is counted apart; what a broken source thinks up beyond them is `other`."""
FINGERPRINTS_MAX: Final = 100
"""Fingerprints by which a run's errors are counted apart; beyond them they are `other`. The journal has each one."""


class Holding(msgspec.Struct):
    """What the desk means to do with an open position: where it gets out, and what it has cost so far."""

    signal_id: str
    strategy_id: str
    symbol: str
    side: Side
    stop: int
    target: int
    opened_ns: int
    close_at_ns: int  # 0: no time exit
    phase: str
    regime: str
    entered_qty: int = 0  # signed
    entered_value: int = 0
    exited_value: int = 0
    realized: int = 0
    fees: int = 0
    funding: int = 0
    stop_order_id: str = ""
    target_order_id: str = ""
    exit_order_id: str = ""
    exit_tried_ns: int = 0
    rests: bool = True  # its stop and target are to rest at the broker; False once they were taken back on request
    refusals: int = 0  # of its stop and target in a row
    stop_passed_ns: int = 0  # when the price passed a stop that rests; 0: it has not
    leaving: ExitReason | None = None  # set once the desk means to be out
    waits: bool = False  # to be out, and told that the market is closed
    exit_reason: ExitReason | None = None


class LiveSignal(msgspec.Struct):
    """A signal without a verdict yet: its proposal and the entry order it led to."""

    signal_id: str
    strategy_id: str
    proposal: Proposal
    phase: str
    regime: str
    order_id: str = ""


class Block(msgspec.Struct):
    text: str
    lifts: str
    since_ns: int
    release_ns: int = 0  # 0: no time is known


class Breaker(msgspec.Struct):
    """A tripped breaker: what it saw, what it did, and when its time is over (0: only an operator releases it)."""

    tripped: bool = False
    since_ns: int = 0
    release_ns: int = 0
    text: str = ""
    value: int = 0
    limit: int = 0
    action: BreakerAction | None = None


class TakerOrder(msgspec.Struct):
    """What an order got as a taker: `qty` signed, `value` at the prices paid; `expected` the price at its decision."""

    expected: int
    qty: int = 0
    value: int = 0

    @property
    def slip(self) -> int:
        """How much worse than expected its average price is, as a fraction; below zero: better."""
        return slippage(self.expected, self.qty, money.div(self.value, self.qty)) or 0


class Recent(msgspec.Struct):
    """What the breakers count: moments, oldest first, no older than their windows, and orders."""

    errors: list[int] = []
    outages: list[int] = []  # when each began
    outage_since_ns: int = 0  # 0: there is fresh data
    refusals: list[int] = []
    takers: dict[str, TakerOrder] = {}  # the newest orders that were takers, by id


class Funding(msgspec.Struct):
    rate: int
    due_ns: int


class Balance(msgspec.Struct):
    """What a venue's broker last said of the account; `claimed` is the margin of entries sent since."""

    at_ns: int
    equity: int
    free_margin: int
    source: str
    claimed: int = 0


class Suspect(msgspec.Struct):
    """A difference between the books. It counts once it has been seen often enough; `id` is empty until then."""

    first_seen_ns: int
    seen: int = 1
    id: str = ""
    ours: str = ""
    theirs: str = ""


class Comparison(msgspec.Struct):
    """What is remembered of comparing the books with the broker's own.

    `touched` holds by symbol when an order or a position last changed here; `suspects` the differences by (kind,
    subject) joined; `cash_base` what the broker's cash exceeds ours by.
    """

    due_ns: int = 0
    compared_ns: int = 0  # the newest comparison
    reconciled_ns: int = 0  # the newest one without a difference
    clean: bool = False
    trigger: str = ""  # of the reading that is under way
    touched: dict[str, int] = {}
    suspects: dict[str, Suspect] = {}
    cash_base: int | None = None


class Away(msgspec.Struct):
    """The time between two runs, as far as something of the paper desk stood in the market.

    `until` holds by symbol with a position or an order up to when bars have told of it: at first where the first bar
    begins that may meet them. `heard_ns` is when the desk heard of one of them last; `bars` and `fills` count what of
    the time between was looked at and what came, `untold_ns` is how long a market was open meanwhile without a bar.
    """

    until: dict[str, int] = {}
    heard_ns: int = 0
    bars: int = 0
    fills: int = 0
    untold_ns: int = 0


class RegimeState(msgspec.Struct):
    """The newest value of the volatility index (0: none yet), the regime it led to, and what is watched since."""

    regime: Regime = Regime.UNKNOWN
    raw: Regime = Regime.UNKNOWN  # what the level alone means
    level: int = 0
    of_ns: int = 0
    source: str = ""
    simulated: bool = False
    since_ns: int = 0  # of the newest transition
    off: list[str] = []  # strategies it does not let enter
    watch_until_ns: int = 0  # 0: no transition is watched for a rise of exposure
    exposure_before: int = 0


class SymbolState(msgspec.Struct):
    """What the desk knows of one symbol's market. Prices are 0 and times 0 until something arrived."""

    quote: Quote | None = None
    last: int = 0  # newest price of any kind
    aside: int = 0  # newest price set aside for being far from it; 0: none since
    last_ns: int = 0  # when the newest data arrived
    health: FeedHealth = FeedHealth.LIVE
    bar_start_ns: int = 0  # newest closed base bar
    window: PhaseWindow = msgspec.field(default_factory=PhaseWindow)
    phase_told: MarketPhase = MarketPhase.UNKNOWN  # the newest one on record
    funding: Funding | None = None
    halted: bool = False
    changed: str = ""  # how its rules are other ones than those the run began with; empty: they are not

    @property
    def phase(self) -> MarketPhase:
        return self.window.phase


class Refused(msgspec.Struct):
    """Frames and rows the edge refused for one cause: how many, and where the first one stood."""

    count: int
    first: str  # stream, or file:line:column


class ErrorKind(msgspec.Struct):
    """Errors of one fingerprint: how many, when, and the first of them as an example."""

    where: str
    text: str
    count: int
    first_ns: int
    last_ns: int


class Tally(msgspec.Struct):
    """Sums and counts of one run; the report is made of these and the database must agree."""

    starting_equity: int = 0
    starting_unrealized: int = 0
    starting_shadows: dict[str, int] = {}  # equity by profile
    realized: int = 0
    fees: int = 0
    funding: int = 0
    orders: int = 0
    fills: int = 0
    rejects: int = 0
    stuck: int = 0  # orders that waited for an answer too long
    trades: int = 0
    wins: int = 0
    market_events: int = 0
    errors: int = 0
    error_kinds: dict[str, ErrorKind] = {}  # the same by fingerprint
    gaps: int = 0
    stale: int = 0
    data_rejects: int = 0
    outage_ns: int = 0  # how long the paper desk was away with something in the market before this run
    outage_fills: int = 0  # what the bars of that time filled
    data_refused: dict[str, Refused] = {}  # the same by cause
    operator_acts: int = 0
    signals: int = 0
    ended: dict[str, int] = msgspec.field(default_factory=lambda: {state.value: 0 for state in TerminalState})
    reasons: dict[str, int] = {}  # the same signals by reason code

    def fail(self, where: str, text: str, fingerprint: str, at_ns: int) -> None:
        """Count an error, by its fingerprint too."""
        self.errors += 1
        if fingerprint not in self.error_kinds and len(self.error_kinds) >= FINGERPRINTS_MAX:
            fingerprint = "other"
        kind = self.error_kinds.setdefault(fingerprint, ErrorKind(where, text, 0, at_ns, at_ns))
        kind.count += 1
        kind.last_ns = at_ns

    def refuse(self, event: DataRejected) -> None:
        """Count refused data by its cause; what follows a colon in the reason is the one frame's or row's own."""
        self.data_rejects += event.count
        cause = event.reason.partition(":")[0]
        if cause not in self.data_refused and len(self.data_refused) >= CAUSES_MAX:
            cause = "other"
        self.data_refused.setdefault(cause, Refused(0, event.where)).count += event.count


class Crash(msgspec.Struct):
    """A run that ended without saying goodbye, and when the next start found that."""

    run_id: str
    at_ns: int


class EngineState(msgspec.Struct):
    """The desk's books (which outlive a run) and the current run's counters."""

    config: CoreConfig | None = None
    run_id: str = ""
    run_started_ns: int = 0
    phase: SessionPhase = SessionPhase.INITIALIZING
    keeps: bool = False  # the session ends and leaves its positions open
    seq: int = 0  # of the newest event of this run
    at_ns: int = 0
    decision_hash: bytes = bytes(32)
    # the books
    cash: int = 0
    funded: bool = False  # the starting capital has been paid in
    positions: dict[str, Position] = {}
    unrealized: dict[str, int] = {}  # by symbol, at its newest mark: a run begins with what the one before ended with
    holdings: dict[str, Holding] = {}
    orders: dict[str, Order] = {}  # working ones only
    ended_orders: dict[str, Order] = {}  # the newest few, for late fills
    fills_seen: dict[str, None] = {}  # the newest few fill ids
    held_fills: dict[str, Fill] = {}  # those that cannot be, by id: known, and on no book
    ledger: Ledger = msgspec.field(default_factory=Ledger)
    ledger_difference: str = ""  # the newest one that was told; empty: there was none
    live_signals: dict[str, LiveSignal] = {}
    # safety
    killed: bool = False
    blocks: dict[str, Block] = {}
    breakers: dict[BreakerName, Breaker] = {}
    crashes: list[Crash] = []  # oldest first, none older than the window; an operator's resume forgets them
    recent: Recent = msgspec.field(default_factory=Recent)
    losses_in_row: int = 0
    errors_counted: int = 0  # since the run or the day began, or an operator's reset
    day: int = -1  # days since 1970, UTC
    day_opening_equity: int = 0
    day_end_ns: int = 0  # when the next trading day begins
    day_base_equity: int = 0  # what the daily loss is counted from: the opening, or an operator's reset
    day_peak_equity: int = 0
    day_orders: int = 0
    day_rejects: int = 0
    peak_equity: int = 0
    pace: Pace = msgspec.field(default_factory=Pace)
    heat_above: bool = False  # heat is above its limit, and that was told
    balance: Balance | None = None  # by a venue's own broker
    comparison: Comparison = msgspec.field(default_factory=Comparison)
    away: Away = msgspec.field(default_factory=Away)
    # the market
    symbols: dict[str, SymbolState] = {}
    returns: dict[str, Returns] = {}  # of closed bars, for correlation
    regime: RegimeState = msgspec.field(default_factory=RegimeState)
    # for the run's report and the screen
    tally: Tally = msgspec.field(default_factory=Tally)
    recent_signals: list[SignalView] = []  # oldest first
    equity_curve: list[int] = []  # oldest first
    marked_ns: int = 0  # newest equity mark


class Snapshot(msgspec.Struct, frozen=True):
    """The whole core at one moment."""

    state: EngineState
    paper: PaperState
    strategies: dict[str, bytes]  # encoded states by strategy id
    builders: dict[str, dict[str, bytes]]


def remember(times: list[int], at_ns: int, window_ns: int) -> None:
    """Add a moment to a window of them, and forget those that lie further back."""
    times.append(at_ns)
    times[:] = [at for at in times[-TIMES_KEPT:] if at > at_ns - window_ns]
