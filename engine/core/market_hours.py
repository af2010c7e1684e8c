"""Which markets are open now: entries wait while they are closed, and prices from outside the session move nothing.

A closed market's ticks are counted and pass by: they are no price, fill no order and reach no exit. Its bars feed the
indicators. What is to be closed waits for the opening.
"""

from collections.abc import Callable

from engine.core.breakers import Breakers
from engine.core.desk import Desk
from engine.core.safety import Safety
from engine.core.trading import Trading
from engine.core.words import BlockReason


class MarketHours:
    """The opening and closing of one desk's markets. `shut` is told of every one that closes or opens.

    Attributes:
        closed: The symbols whose market is closed; empty on a desk that trades around the clock.
        next_due_ns: When the next market opens or closes; 0 if none does.
    """

    def __init__(
        self,
        desk: Desk,
        safety: Safety,
        breakers: Breakers,
        trading: Trading,
        shut: Callable[[str, bool], None],
    ) -> None:
        self._desk = desk
        self._safety = safety
        self._breakers = breakers
        self._trading = trading
        self._shut = shut
        self._timed = [symbol for symbol, calendar in desk.calendars.items() if not calendar.is_continuous]
        self.closed: dict[str, None] = {}
        self._look()

    def was_open(self, symbol: str, at_ns: int) -> bool:
        """Whether the symbol's market was open at a time of the past."""
        return self._desk.calendars[symbol].is_open(at_ns)

    def was_closed(self, symbol: str, from_ns: int, until_ns: int) -> bool:
        """Whether the symbol's market was closed all through a span of the past."""
        calendar = self._desk.calendars.get(symbol)
        if calendar is None or calendar.is_open(from_ns):
            return False
        return until_ns <= (calendar.next_open_ns(from_ns) or until_ns)

    def due(self) -> None:
        """Let markets open and close whose time has come."""
        if 0 < self.next_due_ns <= self._desk.at_ns:
            self.follow()

    def follow(self) -> None:
        """Bring what is closed up to this moment: take entries back there, and block while nothing is open."""
        before = list(self.closed)
        self._look()
        for order in self._desk.entries():
            if order.symbol in self.closed:
                self._trading.blotter.cancel(order, "the market has closed")
        for symbol in self._timed:
            if (symbol in before) is not (symbol in self.closed):
                self._shut(symbol, symbol in self.closed)
        for symbol in before:
            if symbol not in self.closed:
                self._trading.exits.protect(symbol)
        if self.closed and len(self.closed) == len(self._desk.calendars):
            self._block()
        else:
            self._safety.unblock(BlockReason.MARKET_CLOSED, "the market is open")
        self.judge_feed()

    def tell_all(self) -> None:
        """A run begins: say of every market with hours whether it is closed."""
        for symbol in self._timed:
            self._shut(symbol, symbol in self.closed)

    def judge_feed(self, said: str = "") -> None:
        """Block entries while no open market has fresh data; a closed one owes none. `said`: the feed's own words."""
        stale = [symbol for symbol in self._desk.stale_symbols() if symbol not in self.closed]
        standing = bool(stale) and len(stale) == len(self._desk.calendars) - len(self.closed)
        if standing:
            self._safety.block(BlockReason.STALE_DATA, f"no fresh market data: {said or ', '.join(stale)}")
        else:
            self._safety.unblock(BlockReason.STALE_DATA, "market data is fresh again")
        if said or not standing:  # what was silent over night is no outage before the feed says so
            self._breakers.outage(standing)

    def _block(self) -> None:
        desk = self._desk
        opens = [desk.calendars[symbol].next_open_ns(desk.at_ns) for symbol in self.closed]
        names = ", ".join(dict.fromkeys(desk.calendars[symbol].name for symbol in self.closed))
        opens_ns = min((at for at in opens if at), default=0)
        lifts = "its opening" if opens_ns else "a start with a calendar that goes on"
        text = f"the market is closed ({names})"
        self._safety.block(BlockReason.MARKET_CLOSED, text, lifts=lifts, release_ns=opens_ns)

    def _look(self) -> None:
        """What is closed now, and when that changes next: of the time alone, so that a snapshot need not hold it."""
        calendars, at_ns = self._desk.calendars, self._desk.at_ns
        self.closed.clear()
        self.closed.update((symbol, None) for symbol in self._timed if not calendars[symbol].is_open(at_ns))
        changes = [calendars[symbol].next_change_ns(at_ns) for symbol in self._timed]
        self.next_due_ns = min((at for at in changes if at), default=0)
