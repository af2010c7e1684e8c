"""A core in the hand: plain values in, facts out, and a strategy that says what the test tells it to."""

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.core import money
from engine.core.config import MINUTE, SECOND, CoreConfig, Instrument, Limits, PaperModel, RegimeModel, Sizing
from engine.core.engine import Engine
from engine.core.events import (
    AccountRead,
    Act,
    AnyEvent,
    BalanceRead,
    Bar,
    BookOrder,
    BookPosition,
    Command,
    PhaseEntered,
    Quote,
    RunStarted,
    SessionPhase,
    VolatilityRead,
)
from engine.core.facts import AnyEffect, AnyFact
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import Side

START_NS = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z
SYMBOL = "BTCUSDT"
INDEX = "test"


def d(text: str | int) -> int:
    """A decimal as a scaled integer."""
    return money.parse(str(text))


def instrument(symbol: str = SYMBOL, **changes: Any) -> Instrument:
    return msgspec.structs.replace(
        Instrument(symbol, tick=d("0.1"), lot=d("0.001"), min_qty=d("0.001"), max_qty=d("1000")), **changes
    )


def flat_bar(symbol: str, at_ns: int, start_ns: int, backfilled: bool = False) -> Bar:
    """A minute in which the price stood at 100."""
    return Bar(symbol, at_ns, start_ns, MINUTE, d(100), d(100), d(100), d(100), d(10), backfilled)


class Told(msgspec.Struct):
    """What a scripted strategy remembers: nothing but how much it has seen."""

    seen: int = 0


class Scripted:
    """Proposes what the test puts into `wishes` (or what a snapshot-safe plan says) at the next quote."""

    def __init__(self, symbols: tuple[str, ...] = (SYMBOL,)) -> None:
        self.strategy_id = "scripted"
        self.symbols = symbols
        self.span_ns = MINUTE
        self.history = 0
        self.wants_quotes = True
        self.state: msgspec.Struct = Told()
        self.wishes: list[Proposal | ExitWish] = []

    def on_bar(self, bar: Bar, market: Market) -> Sequence[Proposal | ExitWish]:
        return ()

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        assert isinstance(self.state, Told)
        self.state.seen += 1
        told, self.wishes = self.wishes, []
        return told


class Rig:
    """One engine with a scripted strategy, RUNNING, its symbols seeded with sixty quiet bars, each a group of its own.

    The volatility index stands at `volatility`, whose default is NORMAL; with None nothing has been read.
    """

    def __init__(
        self,
        symbols: tuple[str, ...] = (SYMBOL,),
        running: bool = True,
        volatility: str | None = "17",
        **config: Any,
    ) -> None:
        self.strategy = Scripted(symbols)
        self.engine = Engine(lambda _: (self.strategy,))
        self.facts: list[AnyFact | AnyEffect] = []
        self.now_ns = START_NS
        self._proposed = ("", Side.LONG, "")
        settings: dict[str, Any] = {
            "env": "paper",
            "seed": 1,
            "paper": True,
            "starting_equity": d(10_000),
            "instruments": tuple(instrument(symbol, group=symbol) for symbol in symbols),
            "strategies": (),
            "limits": Limits(),
            "model": PaperModel(),
            "sizing": Sizing(risk_per_trade=d(10), notional_max=d(5_000)),
            "regimes": RegimeModel(source=INDEX),
        }
        settings |= config
        settings.setdefault("resting_stops", settings["paper"])
        self.config = CoreConfig(**settings)
        self.send(RunStarted(self.now_ns, "run1", self.config))
        self.seed()
        if volatility is not None:
            self.volatility(volatility, seconds=0)
        if running:
            self.send(PhaseEntered(self.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
            if not self.config.paper:
                self.books()

    def seed(self) -> None:
        """Sixty quiet bars of each symbol, as history gives them."""
        for symbol in self.engine.desk.instruments:
            for k in range(60):
                start = self.now_ns - (60 - k) * MINUTE
                price = d(100) + (k % 2) * d("0.1")
                self.send(Bar(symbol, self.now_ns, start, MINUTE, price, price, price, price, d(10), backfilled=True))

    def send(self, event: AnyEvent) -> list[AnyFact | AnyEffect]:
        """Handle one event; what it led to, also kept in `facts`."""
        out = self.engine.handle(event)
        self.facts += out
        return list(out)

    def quote(self, bid: str, ask: str, *, symbol: str = SYMBOL, qty: str = "50", seconds: float = 1) -> list[Any]:
        """Let time pass, then a quote arrive."""
        self.now_ns += int(seconds * SECOND)
        return self.send(Quote(symbol, self.now_ns, self.now_ns, d(bid), d(ask), d(qty), d(qty)))

    def volatility(self, level: str, *, seconds: float = 1, age_seconds: int = 0) -> list[Any]:
        """Let time pass, then the volatility index be read."""
        self.now_ns += int(seconds * SECOND)
        return self.send(VolatilityRead(self.now_ns, d(level), self.now_ns - age_seconds * SECOND, INDEX, False))

    def balance(self, free_margin: str = "10000", equity: str = "10000") -> list[Any]:
        """The venue's broker tells the account."""
        return self.send(BalanceRead(self.now_ns, d(equity), d(free_margin), "test"))

    def books(self, trigger: str = "start", **theirs: Any) -> list[Any]:
        """The venue's broker tells its books; where nothing else is said they are the desk's own."""
        state = self.engine.state
        positions = tuple(
            BookPosition(p.symbol, p.qty, abs(money.div(p.cost, p.qty))) for p in state.positions.values() if p.qty
        )
        orders = tuple(BookOrder(o.order_id, "v", o.symbol, o.qty, o.filled_qty) for o in state.orders.values())
        told = {"positions": positions, "orders": orders, "cash": None} | theirs
        return self.send(AccountRead(self.now_ns, self.now_ns + 1, "test", trigger, **told))

    def command(self, act: Act, reason: str = "", subject: str = "") -> list[Any]:
        self.now_ns += 1_000_000
        return self.send(Command(self.now_ns, act, "cli", "tester", reason, subject))

    def propose(self, entry: str = "0", stop: str = "99", target: str = "103", **changes: Any) -> list[Any]:
        """Propose a LONG (by default) at the next quote of 100.0/100.1, one second on.

        Ten seconds on where it was just proposed, so that it is no repeat; a venue's broker tells the account before.
        """
        symbol = changes.pop("symbol", SYMBOL)
        side = changes.pop("side", Side.LONG)
        bid, ask, qty = changes.pop("bid", "100"), changes.pop("ask", "100.1"), changes.pop("qty", "50")
        if not self.config.paper:
            self.balance()
        self.strategy.wishes = [Proposal(symbol, side, d(entry), d(stop), d(target), "because", **changes)]
        again = (symbol, side, entry) == self._proposed
        self._proposed = (symbol, side, entry)
        return self.quote(bid, ask, symbol=symbol, qty=qty, seconds=10 if again else 1)

    def enter(self, **changes: Any) -> None:
        """Open a position at market and let it fill."""
        self.propose(**changes)
        self.quote(changes.get("bid", "100"), changes.get("ask", "100.1"), symbol=changes.get("symbol", SYMBOL))

    def of(self, kind: type) -> list[Any]:
        """The facts and effects of one kind so far."""
        return [item for item in self.facts if isinstance(item, kind)]
