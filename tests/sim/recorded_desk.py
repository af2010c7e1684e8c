"""A core on the recorded month, driven as the shell drives it, with a strategy that never tires.

Everything is noted in the order of the facts, so that "while a breaker was tripped" is exact to the fact.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from itertools import chain
from typing import Any, Final

import msgspec

from engine.core.config import DAY, MINUTE, SECOND, CoreConfig, PaperModel, RegimeModel
from engine.core.engine import Engine
from engine.core.events import (
    Act,
    AnyEvent,
    BalanceRead,
    BrokerEvent,
    Command,
    PhaseEntered,
    RunStarted,
    SessionPhase,
    VolatilityRead,
    Wake,
)
from engine.core.facts import (
    Amend,
    AnyEffect,
    AnyFact,
    BreakerChanged,
    Cancel,
    OrderChanged,
    SignalEnded,
    SignalRaised,
    StopSession,
    Submit,
    TradeClosed,
    WakeAt,
)
from engine.core.money import SCALE
from engine.core.operator import BY_THE_SHELL
from engine.core.paper_ledger import PaperLedger
from engine.core.words import BreakerName, OrderState
from engine.venues.sim.recorded import RecordedMarket
from tests.e2e.shell import SHARED
from tests.sim.tireless import Tireless, Venue

KLINES: Final = SHARED / "crypto" / "binance_um_klines_1m_2025-05"
EQUITY: Final = 10_000 * SCALE
CALM: Final = 17 * SCALE
CRISIS: Final = 45 * SCALE
INDEX: Final = "test"
HISTORY: Final = 120
ENDED: Final = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED})
BALANCE_EVERY_NS: Final = 20 * SECOND


@cache
def month() -> RecordedMarket:
    """The eight symbols of the month."""
    return RecordedMarket([KLINES], warmup_bars=HISTORY)


def noon_of(seed: int) -> int:
    """When the run of `seed` begins: noon (UTC) of a day of its own, the first of which has a day before it."""
    return (month().start_ns // DAY + seed) * DAY + DAY // 2


class Trip(msgspec.Struct):
    """One spell of one breaker, from its trip to its release (0: not released yet).

    Attributes:
        working: Entry orders that worked when it tripped.
        held: Symbols held at that moment.
        refused: Verdicts on signals raised during the spell.
        closed: Trades closed during it.
    """

    fact: BreakerChanged
    working: frozenset[str]
    held: frozenset[str]
    released_ns: int = 0
    why_released: str = ""
    refused: list[SignalEnded] = []
    closed: list[TradeClosed] = []


class Recorded:
    """One desk on the month; `venue`: its orders go to a broker outside the core, `blind` as `Venue` says.

    Attributes:
        trips: Every spell of a breaker, oldest first.
        codes: Verdicts by reason code.
        stops: Wishes of the core to end the run.
        entered: Orders sent that may add to a position, while no breaker was tripped.
        entered_tripped: Those sent while one was: none, ever.
        unguarded: Positions found without a stop at the broker while a breaker was tripped.
    """

    def __init__(self, seed: int, *, seeded: bool = True, venue: bool = False, blind: bool = False, **config: Any):
        market = month()
        symbols = tuple(instrument.symbol for instrument in market.instruments)
        venue_model = config.pop("venue_model", PaperModel())
        settings: dict[str, Any] = {
            "resting_stops": True,
            "entry_timeout_ns": DAY,
            "regimes": RegimeModel(source=INDEX),
        }
        self.config = CoreConfig("paper", seed, not venue, EQUITY, market.instruments, (), **settings | config)
        self.seed = seed
        self.engine = Engine(lambda _: (Tireless(seed, symbols),))
        self.venue = Venue(self.config, venue_model, blind) if venue else None
        self.at_ns = noon_of(seed)
        self.trips: list[Trip] = []
        self.codes: Counter[str] = Counter()
        self.stops: list[StopSession] = []
        self.entered: list[OrderChanged] = []
        self.entered_tripped: list[OrderChanged] = []
        self.unguarded: list[str] = []
        self._working: dict[str, OrderChanged] = {}
        self._raised: dict[str, tuple[BreakerName, ...]] = {}
        self._wake_ns = 0
        self._runs = 0
        self._market = chain.from_iterable(market.events(self.at_ns))
        self._next = next(self._market)
        self.start(seeded)

    # --- a run ---

    def start(self, seeded: bool = True) -> None:
        """A run begins, with history or without."""
        self._runs += 1
        self.send(RunStarted(self.at_ns, f"run{self._runs}", self.config))
        self.send(PhaseEntered(self.at_ns, SessionPhase.INITIALIZING, SessionPhase.SEEDING_HISTORY))
        for instrument in self.config.instruments if seeded else ():
            for bar in month().history(instrument.symbol, MINUTE, self.at_ns, HISTORY):
                self.send(bar)
        self.volatility(CALM)
        self.send(PhaseEntered(self.at_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))

    def end(self) -> None:
        """End the run as the session does once it was asked to: no entries, all orders back, all positions closed."""
        (stop,) = self.stops
        self.send(PhaseEntered(self.at_ns, SessionPhase.RUNNING, SessionPhase.SHUTTING_DOWN, stop.reason))
        self.act(Act.CANCEL_ALL, source=BY_THE_SHELL)
        self.play(self.at_ns + 5 * SECOND)
        self.act(Act.CLOSE_ALL, source=BY_THE_SHELL)
        self.play(self.at_ns + 2 * MINUTE)
        self.send(PhaseEntered(self.at_ns, SessionPhase.SHUTTING_DOWN, SessionPhase.COMPLETED, stop.reason))
        self.stops.clear()

    def restart(self) -> None:
        """A new process on the books of the old one, which has ended its session or was killed in the midst of it."""
        symbols = tuple(self.engine.desk.instruments)
        self.engine = Engine(lambda _: (Tireless(self.seed, symbols),), self.engine.snapshot())
        self._wake_ns = 0
        self.start()

    def play(self, until_ns: int, done: Callable[[], object] = lambda: False, silent: bool = False) -> bool:
        """Let the market go on until then, or until `done` after an event; silent: nothing of it arrives but time."""
        while self._next.at_ns < until_ns:
            event, self._next = self._next, next(self._market)
            self._pass(event.at_ns)
            if not silent:
                self.send(event)
            if done():
                return True
        self._pass(until_ns)
        return False

    def _pass(self, at_ns: int) -> None:
        """Wake whoever is to be woken before then."""
        while True:
            times = [self._wake_ns]
            if self.venue is not None:
                times += [self.venue.broker.next_due_ns, self.venue.balance_ns + BALANCE_EVERY_NS]
            due_ns = min((at for at in times if at), default=0)
            if not due_ns or due_ns >= at_ns:
                self.at_ns = max(self.at_ns, at_ns)
                return
            self.at_ns = max(self.at_ns, due_ns)
            if self._wake_ns and self._wake_ns <= self.at_ns:
                self._wake_ns = 0
            self.send(Wake(self.at_ns))

    def act(self, act: Act, reason: str = "", subject: str = "", source: str = "cli") -> None:
        self.send(Command(self.at_ns, act, source, "tester", reason, subject))

    def volatility(self, level: int) -> None:
        self.send(VolatilityRead(self.at_ns, level, self.at_ns, INDEX, False))

    # --- events in, facts out ---

    def send(self, event: AnyEvent) -> None:
        self.at_ns = max(self.at_ns, event.at_ns)
        self._handle(event)
        if self.venue is not None:
            for answer in (*self.venue.see(event), *self._balance()):
                self._handle(answer)

    def _balance(self) -> Iterable[AnyEvent]:
        assert self.venue is not None
        if self.at_ns < self.venue.balance_ns + BALANCE_EVERY_NS:
            return
        self.venue.balance_ns = self.at_ns
        broker = self.venue.broker
        yield BalanceRead(self.at_ns, broker.equity(), broker.free_margin(), INDEX)

    def _handle(self, event: AnyEvent) -> None:
        answers: list[BrokerEvent] = []
        for fact in self.engine.handle(event):
            if isinstance(fact, Submit | Cancel | Amend):
                if self.venue is not None:
                    answers += self.venue.take(fact, self.at_ns)
            elif isinstance(fact, WakeAt):
                self._wake_ns = fact.at_ns
            else:
                self._note(fact)
        self._guard()
        for answer in answers:
            self._handle(answer)

    def _note(self, fact: AnyFact | AnyEffect) -> None:
        standing = [trip for trip in self.trips if not trip.released_ns]
        if isinstance(fact, BreakerChanged):
            self._note_breaker(fact)
        elif isinstance(fact, SignalRaised):
            self._raised[fact.signal_id] = tuple(trip.fact.name for trip in standing)
        elif isinstance(fact, SignalEnded):
            self.codes[fact.reason_code.value] += 1
            for trip in standing:
                if trip.fact.name in self._raised[fact.signal_id]:
                    trip.refused.append(fact)
        elif isinstance(fact, OrderChanged):
            self._note_order(fact, bool(standing))
        elif isinstance(fact, TradeClosed):
            for trip in standing:
                trip.closed.append(fact)
        elif isinstance(fact, StopSession):
            self.stops.append(fact)

    def _note_breaker(self, fact: BreakerChanged) -> None:
        if fact.tripped:
            held = frozenset(self.engine.state.holdings)
            self.trips.append(Trip(fact, frozenset(self._working), held))
            return
        (trip,) = (trip for trip in self.trips if trip.fact.name is fact.name and not trip.released_ns)
        trip.released_ns, trip.why_released = fact.at_ns, fact.text

    def _note_order(self, fact: OrderChanged, tripped: bool) -> None:
        if fact.reduce_only:
            return
        if fact.previous is OrderState.NEW:
            (self.entered_tripped if tripped else self.entered).append(fact)
        if fact.state in ENDED:
            self._working.pop(fact.order_id, None)
        else:
            self._working[fact.order_id] = fact

    def _guard(self) -> None:
        """While a breaker is tripped, whatever is held has its stop at the broker, or is on its way out."""
        if not self.trips or self.trips[-1].released_ns or self.stops:
            return
        orders = self.engine.state.orders
        for symbol, holding in self.engine.state.holdings.items():
            if holding.stop_order_id not in orders and holding.leaving is None:
                self.unguarded.append(f"{symbol} at {self.at_ns}")

    @property
    def working(self) -> list[str]:
        """Ids of the entry orders that work."""
        return list(self._working)

    @property
    def tripped(self) -> list[BreakerName]:
        return list(self.engine.breakers.check_breakers())

    @property
    def broker_ledger(self) -> PaperLedger:
        broker = self.engine.paper if self.venue is None else self.venue.broker
        assert broker is not None
        return broker.state.ledger
