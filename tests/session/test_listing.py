"""What the venue lists beside what a run was begun with."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.core.config import HOUR, Instrument
from engine.core.events import FundingRate, InstrumentChanged
from engine.core.state import SymbolState
from engine.session.listing import changes
from engine.session.session import Session
from engine.session.tasks import FUNDING_RATE_DEFAULT
from engine.venues.errors import NotSent, VenueClosed, VenueError
from store.database import open_reader
from store.recovery import run_inputs
from tests.rig import START_NS, SYMBOL, d, instrument
from tests.session.deskrig import DeskRig


def told(listed: Instrument | VenueError, known: str = "") -> list[str]:
    ours = instrument(min_notional=d(5))
    found = changes({SYMBOL: ours}, {SYMBOL: SymbolState(changed=known)}, {SYMBOL: listed}, 7)
    assert all((change.symbol, change.at_ns) == (SYMBOL, 7) for change in found)
    return [change.text for change in found]


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"tick": d("0.5")}, "tick is 0.5, was 0.1"),
        ({"lot": d("0.01"), "min_qty": d("0.01")}, "lot is 0.01, was 0.001, min qty is 0.01, was 0.001"),
        ({"min_notional": d(20)}, "min notional is 20, was 5"),
        ({"multiplier": d(10)}, "multiplier is 10, was 1"),
        ({"max_qty": d(999)}, "max qty is 999, was 1000"),
    ],
)
def test_every_rule_that_changed_is_named(rules: dict[str, Any], text: str) -> None:
    """FA-10."""
    changed = instrument(**({"min_notional": d(5)} | rules))
    assert told(changed) == [text]
    assert told(changed, known=text) == [], "what the core knows is not said again"


def test_the_same_rules_a_larger_order_and_other_fees_are_no_change() -> None:
    same = instrument(min_notional=d(5), max_qty=d(2000), taker_fee=d("0.01"))
    assert told(same) == []
    assert told(same, known="tick is 0.5, was 0.1") == [""], "it is as before"


def test_what_is_not_traded_any_more_is_told_in_the_venues_words() -> None:
    """FA-10."""
    assert told(VenueClosed("BTCUSDT is not traded: OFFLINE")) == ["BTCUSDT is not traded: OFFLINE"]


class Venue:
    """A feed that lists something else than the run began with, or cannot be asked."""

    def __init__(self, listing: dict[str, Instrument | VenueError] | VenueError) -> None:
        self._listing = listing

    async def listing(self) -> dict[str, Instrument | VenueError]:
        if isinstance(self._listing, VenueError):
            raise self._listing
        return self._listing


@pytest.mark.parametrize("asked", [True, False])
def test_a_running_desk_tells_its_core_what_changed(tmp_path: Path, asked: bool) -> None:
    """FA-10."""
    rig = DeskRig(tmp_path)
    seen: list[str] = []

    async def look(session: Session) -> None:
        while (view := session.view()) is None or view.phase != "RUNNING":  # noqa: ASYNC110
            await asyncio.sleep(0)
        shell = session._shell
        assert shell is not None
        gone = VenueClosed("ETHUSDT is not traded: OFFLINE")
        feed: Any = Venue({"BTCUSDT": shell.runner.engine.desk.instruments["BTCUSDT"], "ETHUSDT": gone})
        if not asked:
            feed = Venue(NotSent("no route"))
        await session._tasks._look_at_listing(feed)
        seen.extend(event.text for event in shell.inbox._queue if isinstance(event, InstrumentChanged))

    _, report = rig.run(120, meddle=look)
    assert report["problems"] == []
    assert seen == (["ETHUSDT is not traded: OFFLINE"] if asked else [])


def test_an_assumed_funding_rate_stands_in_where_the_venue_gives_none(tmp_path: Path) -> None:
    """FA-13."""
    rig = DeskRig(tmp_path)
    rig.run(60)
    connection = open_reader(rig.home.database)
    ((run,),) = connection.execute("SELECT run_id FROM runs").fetchall()
    connection.close()
    _, inputs = run_inputs(rig.home.database, run)
    rates = [event for _, event in inputs if isinstance(event, FundingRate)]
    assert [rate.symbol for rate in rates] == list(rig.symbols)
    assert {(rate.rate, rate.due_ns) for rate in rates} == {(FUNDING_RATE_DEFAULT, START_NS + 8 * HOUR)}
