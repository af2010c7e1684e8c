"""The end of a run on a market that has fallen silent: what is open is closed at the last price, and that is said."""

from engine.core import money
from engine.core.config import MINUTE
from engine.core.events import Act, Wake
from engine.core.facts import FeedNoted, FillBooked, TradeClosed
from engine.core.operator import AT_LAST_PRICE
from engine.core.words import ExitReason
from tests.rig import SYMBOL, Rig, d


def silent(minutes: int = 5) -> Rig:
    """A desk with a position whose market says nothing any more, asked to close it and given its time."""
    rig = Rig()
    rig.enter()
    rig.now_ns += minutes * MINUTE
    rig.command(Act.CLOSE_ALL, "stop")
    for _ in range(20):
        rig.now_ns += 100_000_000
        rig.send(Wake(rig.now_ns))
    return rig


def test_without_a_market_a_closing_order_waits() -> None:
    rig = silent()
    assert rig.engine.state.positions[SYMBOL].qty > 0
    assert rig.of(TradeClosed) == []


def test_the_last_known_price_closes_it_against_us_and_its_age_is_told() -> None:
    rig = silent()
    rig.command(Act.CLOSE_ALL, "stop", AT_LAST_PRICE)
    assert rig.engine.state.positions == {}
    fill = rig.of(FillBooked)[-1]
    assert fill.slippage_source == "last"
    mid = (d("100") + d("100.1")) // 2
    model = rig.config.model
    assert mid - money.mul(mid, model.slippage_max) - d("0.1") <= fill.price <= mid - money.mul(mid, model.slippage_min)
    (trade,) = rig.of(TradeClosed)
    assert trade.exit_reason is ExitReason.SHUTDOWN
    (told,) = [note for note in rig.of(FeedNoted) if note.kind == "LAST_PRICE"]
    assert told.text.startswith("closed at the last known price, 30")
    assert rig.engine.paper is not None
    assert rig.engine.paper.equity() == rig.engine.desk.equity


def test_with_nothing_open_it_does_nothing() -> None:
    rig = Rig()
    rig.quote("100", "100.1")
    rig.command(Act.CLOSE_ALL, "stop", AT_LAST_PRICE)
    assert rig.of(FillBooked) == []
