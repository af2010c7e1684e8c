"""What must hold of the whole core for any sequence of events: books, signals, orders, and what stops them.

Three symbols trade through the paper broker. Markets jump, run dry, halt and fall silent; operators pause, kill, rearm
and reset; errors come in; processes die and others go on with their books. After every event every law is checked.
"""

from collections import Counter
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import money
from engine.core.config import HOUR, MINUTE, SECOND, Limits, Sizing
from engine.core.engine import Engine
from engine.core.events import (
    Act,
    Bar,
    ErrorNoted,
    FeedChanged,
    FeedHealth,
    FundingRate,
    PhaseEntered,
    RunStarted,
    SessionPhase,
    Trade,
    TradingHalted,
    Wake,
)
from engine.core.facts import (
    AmendRequested,
    AnyEffect,
    AnyFact,
    BlockChanged,
    FillBooked,
    KillChanged,
    OrderChanged,
    SignalEnded,
    SignalRaised,
)
from engine.core.strategy import Proposal
from engine.core.words import OrderState, Side
from tests.books import assert_sound
from tests.rig import Rig, Scripted, d

SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
TENTH: Final = d("0.1")
LIMITS: Final = Limits(
    heat_max=d("0.004"),
    daily_loss_max=d(45),
    consecutive_losses_max=2,
    errors_per_hour_max=1,
    feed_outages_per_hour_max=2,
    duplicate_window_ns=1,
)

Step = tuple[str, dict[str, Any]]


def step(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(name), st.fixed_dictionaries(fields))


WHICH = st.sampled_from(SYMBOLS)
MOVES = st.sampled_from([0, 0, 1, -1, 4, -4, 12, -12, 60, -60])
PROPOSAL = step(
    "propose", symbol=WHICH, side=st.sampled_from(Side), away=st.integers(1, 40), rests=st.booleans(), moved=MOVES
)
HAPPENING = st.one_of(
    step("quote", symbol=WHICH, moved=MOVES, size=st.sampled_from(["0", "0.7", "50"])),
    step("trade", symbol=WHICH, moved=MOVES),
    step("bar", symbol=WHICH, moved=MOVES),
    step("wait", ns=st.sampled_from([SECOND, 31 * SECOND, 10 * MINUTE, 9 * HOUR])),
    step("act", act=st.sampled_from([Act.PAUSE, Act.RESUME, Act.RESUME, Act.FLATTEN, Act.CANCEL_ALL, Act.CLOSE_ALL])),
    step("act", act=st.sampled_from([Act.KILL, Act.REARM, Act.REARM, Act.RESET_BREAKER])),
    step("error"),
    step("feed", health=st.sampled_from([FeedHealth.STALE, FeedHealth.LIVE])),
    step("halt", symbol=WHICH, halted=st.booleans()),
    step("funding", symbol=WHICH, rate=st.sampled_from(["0.01", "-0.01"]), within=st.sampled_from([SECOND, HOUR])),
    step("index", level=st.sampled_from(["12", "17", "25", "45"])),
    step("restart"),
    step("calm"),
    step("calm"),
)
HISTORIES = st.lists(st.tuples(HAPPENING, st.none() | PROPOSAL), min_size=10, max_size=40)
"""What happens, and after every other thing a proposal."""


class Lived(Rig):
    """A desk that lives through steps, and what its facts say of them so far."""

    def __init__(self) -> None:
        sizing = Sizing(risk_per_trade=d(12), notional_max=d(5_000))
        super().__init__(SYMBOLS, limits=LIMITS, sizing=sizing, shadows=True)
        self.prices = dict.fromkeys(SYMBOLS, 1_000)  # bids, in ticks
        self.runs = 1
        self.read = 0
        self.standing: set[str] = set()
        self.raised: set[str] = set()
        self.ended: Counter[str] = Counter()
        self.asked: dict[str, int] = {}
        self.filled: Counter[str] = Counter()
        self.entered = 0

    def live(self, name: str, fields: dict[str, Any]) -> None:
        before = self.entered
        getattr(self, f"do_{name}")(**fields)
        new, self.read = self.facts[self.read :], len(self.facts)
        for fact in new:
            self.note(fact)
        assert_sound(self.engine, self.engine.paper.state.ledger)  # type: ignore[union-attr]
        if self.entered > before:
            assert self.engine.desk.heat() <= self.engine.desk.heat_limit()
        if self.standing:
            assert all(order.cancel_reason for order in self.engine.desk.entries()), "what would enter is wanted back"

    def note(self, fact: AnyFact | AnyEffect) -> None:
        """Hold one fact against those before it."""
        if isinstance(fact, BlockChanged):
            (self.standing.add if fact.active else self.standing.discard)(fact.reason)
        elif isinstance(fact, KillChanged):
            (self.standing.add if fact.latched else self.standing.discard)("latch")
        elif isinstance(fact, OrderChanged):
            self.asked[fact.order_id] = max(self.asked.get(fact.order_id, 0), abs(fact.qty))
            if fact.previous is OrderState.NEW and not fact.reduce_only:
                assert not self.standing, "only what reduces risk leaves while anything stands"
                self.entered += 1
        elif isinstance(fact, AmendRequested):
            self.asked[fact.order_id] = max(self.asked[fact.order_id], abs(fact.qty))
        elif isinstance(fact, FillBooked):
            self.filled[fact.order_id] += abs(fact.qty)
            assert self.filled[fact.order_id] <= self.asked[fact.order_id]
        elif isinstance(fact, SignalRaised):
            self.raised.add(fact.signal_id)
        elif isinstance(fact, SignalEnded):
            self.ended[fact.signal_id] += 1
            assert self.ended[fact.signal_id] == 1
            assert fact.signal_id in self.raised

    # --- the steps ---

    def do_quote(self, symbol: str, moved: int, size: str) -> None:
        bid = self.prices[symbol] = max(500, self.prices[symbol] + moved)
        self.quote(money.text(bid * TENTH), money.text((bid + 1) * TENTH), symbol=symbol, qty=size)

    def do_propose(self, symbol: str, side: Side, away: int, rests: bool, moved: int) -> None:
        bid = max(500, self.prices[symbol] + moved)
        entry = bid if side is Side.LONG else bid + 1
        stop, target = entry - side.sign * (away + 1), entry + side.sign * (away + 9) * 2
        wish = Proposal(symbol, side, entry * TENTH if rests else 0, stop * TENTH, target * TENTH, "because", HOUR)
        self.strategy.wishes = [wish]
        self.do_quote(symbol, moved, "50")
        self.do_quote(symbol, 0, "50")

    def do_trade(self, symbol: str, moved: int) -> None:
        self.now_ns += SECOND
        self.send(Trade(symbol, self.now_ns, self.now_ns, (self.prices[symbol] + moved) * TENTH, d(3), 0))

    def do_bar(self, symbol: str, moved: int) -> None:
        self.now_ns = (self.now_ns // MINUTE + 1) * MINUTE
        old, new = self.prices[symbol] * TENTH, (self.prices[symbol] + moved) * TENTH
        start_ns = self.now_ns - MINUTE
        self.send(Bar(symbol, self.now_ns, start_ns, MINUTE, old, max(old, new), min(old, new), new, d(10), False))

    def do_wait(self, ns: int) -> None:
        self.now_ns += ns
        self.send(Wake(self.now_ns))

    def do_act(self, act: Act) -> None:
        self.command(act, "because")

    def do_error(self) -> None:
        self.send(ErrorNoted(self.now_ns, "edge", "a call failed"))

    def do_feed(self, health: FeedHealth) -> None:
        self.send(FeedChanged("", self.now_ns, health, 15 * SECOND))

    def do_halt(self, symbol: str, halted: bool) -> None:
        self.send(TradingHalted(symbol, self.now_ns, halted))

    def do_funding(self, symbol: str, rate: str, within: int) -> None:
        self.send(FundingRate(symbol, self.now_ns, d(rate), self.now_ns + within))

    def do_index(self, level: str) -> None:
        self.volatility(level)

    def do_calm(self) -> None:
        """All that stops the desk and that anybody can lift is lifted."""
        for act in (Act.REARM, Act.RESUME, Act.RESET_BREAKER):
            self.do_act(act)
        self.do_feed(FeedHealth.LIVE)
        self.do_index("17")
        for symbol in SYMBOLS:
            self.do_halt(symbol, False)

    def do_restart(self) -> None:
        """The process dies; another goes on with its books."""
        self.now_ns += SECOND
        self.strategy = Scripted(SYMBOLS)
        self.engine = Engine(lambda _: (self.strategy,), self.engine.snapshot())
        self.runs += 1
        self.send(RunStarted(self.now_ns, f"run{self.runs}", self.config))
        self.seed()
        self.send(PhaseEntered(self.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))


@settings(max_examples=60, deadline=None)
@given(HISTORIES)
def test_no_sequence_of_events_breaks_a_law(history: list[tuple[Step, Step | None]]) -> None:
    desk = Lived()
    for happening, proposal in history:
        desk.live(*happening)
        if proposal is not None:
            desk.live(*proposal)


def test_a_sequence_of_them_trades_stops_and_trades_again() -> None:
    """The laws are not kept by a desk that does nothing."""
    desk = Lived()
    entry = {"side": Side.LONG, "away": 20, "rests": False, "moved": 0}
    for name, fields in (
        ("propose", {"symbol": "BTCUSDT", **entry}),
        ("act", {"act": Act.KILL}),
        ("quote", {"symbol": "BTCUSDT", "moved": 0, "size": "50"}),
        ("propose", {"symbol": "ETHUSDT", **entry}),
        ("act", {"act": Act.REARM}),
        ("restart", {}),
        ("propose", {"symbol": "SOLUSDT", **entry}),
    ):
        desk.live(name, fields)
    assert desk.entered == 2
    assert len(desk.raised) == desk.ended.total() == 3
    assert set(desk.engine.state.positions) == {"SOLUSDT"}
    assert not desk.standing
