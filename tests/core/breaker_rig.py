"""Ways to drive a desk to the limit of each of its breakers."""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from engine.core import money
from engine.core.config import MINUTE, SECOND, Limits, Sizing
from engine.core.engine import Engine
from engine.core.events import (
    Act,
    ErrorNoted,
    FeedChanged,
    FeedHealth,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderRefused,
    PhaseEntered,
    Role,
    RunStarted,
    SessionPhase,
    Wake,
)
from engine.core.facts import Cancel, SignalEnded, Submit
from engine.core.words import BreakerName
from tests.rig import SYMBOL, Rig, Scripted, d

ROOMY: Final = Limits(daily_loss_max=d(9_000), daily_loss_fraction_max=d("0.9"))


def last(rig: Rig) -> SignalEnded:
    """The newest verdict."""
    return rig.of(SignalEnded)[-1]  # type: ignore[no-any-return]


def tripped(rig: Rig) -> list[BreakerName]:
    return list(rig.engine.breakers.check_breakers())


def pass_time(rig: Rig, ns: int) -> None:
    rig.now_ns += ns
    rig.send(Wake(rig.now_ns))


def trades(rig: Rig, results: str) -> None:
    """One trade for each letter: L loses, W wins."""
    for result in results:
        rig.enter(target="102")
        price = "98" if result == "L" else "102.1"
        rig.quote(price, f"{float(price) + 0.1:.1f}")
        rig.quote(price, f"{float(price) + 0.1:.1f}")
        rig.quote("100", "100.1")


def errors(rig: Rig, count: int, apart_ns: int = SECOND) -> None:
    for n in range(count):
        rig.now_ns += apart_ns
        rig.send(ErrorNoted(rig.now_ns, "test", f"error {n}"))


def outages(rig: Rig, count: int, apart_ns: int = MINUTE) -> None:
    """So many times no data for a second."""
    for _ in range(count):
        rig.now_ns += apart_ns
        rig.send(FeedChanged("", rig.now_ns, FeedHealth.STALE, 15 * SECOND))
        rig.send(FeedChanged("", rig.now_ns + SECOND, FeedHealth.LIVE, 0))


def refusals(rig: Rig, count: int, apart_ns: int = SECOND) -> None:
    """So many entries the venue says no to; for a rig without the paper broker."""
    for _ in range(count):
        rig.now_ns += apart_ns - SECOND  # the proposal's own quote comes a second later
        rig.propose()
        submit = rig.of(Submit)[-1]
        rig.send(OrderRefused(submit.order_id, rig.now_ns, "venue_refused", "no"))


def slipped(rig: Rig, count: int, percent: str) -> None:
    """So many taker fills, each worse than expected by this much; for a rig without the paper broker."""
    for n in range(count):
        if rig.engine.state.positions:
            rig.command(Act.FLATTEN)
            rig.command(Act.RESUME)
            for cancel in rig.of(Cancel):
                rig.send(OrderCanceled(cancel.order_id, rig.now_ns))
        else:
            rig.quote("100", "100.1", seconds=60)
            rig.propose(stop="50", target="500")
        submit = [one for one in rig.of(Submit) if one.price == 0][-1]
        order = rig.engine.state.orders[submit.order_id]
        worse = money.mul(d(percent) // 100, order.expected)
        price = order.expected + (worse if order.qty > 0 else -worse)
        rig.send(OrderAccepted(order.order_id, rig.now_ns))
        rig.send(Fill(f"{rig.now_ns}-{n}", order.order_id, SYMBOL, rig.now_ns, 0, order.qty, price, 0, Role.TAKER))


def equity_to(rig: Rig, equity: str) -> None:
    """Let the books be worth exactly this, as if a position had moved there."""
    rig.engine.state.cash = d(equity) - rig.engine.desk.unrealized
    rig.engine.breakers.watch_equity()
    rig.facts += rig.engine.desk.out
    rig.engine.desk.out = []


def restarted(rig: Rig) -> None:
    """The process ends and a new run begins on its books."""
    symbols = rig.strategy.symbols
    rig.strategy = Scripted(symbols)
    rig.engine = Engine(lambda _: (rig.strategy,), rig.engine.snapshot())
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    rig.seed()
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))


Drive = Callable[[Rig], None]
PATHS: Final[dict[str, tuple[BreakerName, Callable[[], Rig], Drive, Drive]]] = {
    "losses": (
        BreakerName.CONSECUTIVE_LOSSES,
        lambda: Rig(sizing=Sizing(risk_per_trade=d(1), notional_max=d(400))),
        lambda r: trades(r, "LLLL"),
        lambda r: trades(r, "L"),
    ),
    "daily loss": (
        BreakerName.DAILY_LOSS,
        Rig,
        lambda r: equity_to(r, "9950.01"),
        lambda r: equity_to(r, "9950"),
    ),
    "daily loss of a small account": (
        BreakerName.DAILY_LOSS,
        lambda: Rig(starting_equity=d(600), limits=Limits(daily_drawdown_max=d("0.9"))),
        lambda r: equity_to(r, "570.01"),
        lambda r: equity_to(r, "570"),
    ),
    "day drawdown": (
        BreakerName.DAILY_DRAWDOWN,
        lambda: Rig(limits=ROOMY),
        lambda r: equity_to(r, "9501"),
        lambda r: equity_to(r, "9500"),
    ),
    "total drawdown": (
        BreakerName.TOTAL_DRAWDOWN,
        lambda: Rig(limits=replace(ROOMY, daily_drawdown_max=d("0.9"))),
        lambda r: equity_to(r, "9001"),
        lambda r: equity_to(r, "9000"),
    ),
    "errors": (
        BreakerName.ERRORS,
        lambda: Rig(limits=Limits(errors_per_hour_max=100)),
        lambda r: errors(r, 19),
        lambda r: errors(r, 1),
    ),
    "error rate": (BreakerName.ERROR_RATE, Rig, lambda r: errors(r, 9), lambda r: errors(r, 1)),
    "outages": (BreakerName.FEED_HEALTH, Rig, lambda r: outages(r, 4), lambda r: outages(r, 1)),
    "refusals": (
        BreakerName.VENUE_REFUSALS,
        lambda: Rig(paper=False),
        lambda r: refusals(r, 4),
        lambda r: refusals(r, 1),
    ),
    "slippage": (
        BreakerName.SLIPPAGE,
        lambda: Rig(paper=False, limits=ROOMY),
        lambda r: slipped(r, 19, "1"),
        lambda r: slipped(r, 1, "1"),
    ),
}
"""By name: the breaker, a desk, the way to just inside its limit, and the last step to it."""
