"""Three days on virtual time, which end while an order is on its way."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.core import money
from engine.core.config import DAY, MINUTE, SECOND
from engine.core.events import FeedEvent, Quote
from engine.core.orders import ENDED
from engine.session.plan import Policy
from store.database import open_reader
from tests.rig import START_NS, SYMBOL, d, flat_bar
from tests.session.deskrig import DeskRig
from tests.session.toymarket import ToyMarket

SPAN_NS = 3 * DAY
END_NS = START_NS + SPAN_NS
STEP_NS = SECOND // 100


class Quiet(ToyMarket):
    """A quote and a bar a minute at 100, and a hundredth of a second apart before the end five quotes one buys at."""

    def __init__(self) -> None:
        super().__init__((SYMBOL,))

    def events(self, from_ns: int) -> Iterator[Sequence[FeedEvent]]:
        for minute in range(1, SPAN_NS // MINUTE):
            at = START_NS + minute * MINUTE
            bar = flat_bar(SYMBOL, at, at - MINUTE)
            yield [quote(at, "100"), bar]
        for n in range(8, 3, -1):
            yield [quote(END_NS - n * STEP_NS, "98")]
        for n in range(120):
            yield [quote(END_NS + n * SECOND, "98")]


def quote(at_ns: int, bid: str) -> Quote:
    size = 50 * money.SCALE
    return Quote(SYMBOL, at_ns, at_ns, d(bid), d(bid) + d("0.1"), size, size)


def rows(connection: sqlite3.Connection, sql: str) -> list[Any]:
    return connection.execute(sql).fetchall()


@pytest.mark.parametrize("keep", [False, True])
def test_the_end_of_three_days_in_the_middle_of_an_order_leaves_nothing_unprotected_and_comes_on_time(
    tmp_path: Path, keep: bool
) -> None:
    """FT-10."""
    rig = DeskRig(tmp_path, (SYMBOL,))
    code, report = rig.run(source=Quiet(), policy=Policy(duration_ns=SPAN_NS, keep_positions=keep))
    assert (code, report["reason"], report["problems"]) == (0, "duration_complete", [])
    assert report["duration_seconds"] == pytest.approx(SPAN_NS / SECOND, abs=1)
    connection = open_reader(rig.home.database)
    bodies = rows(
        connection, "SELECT kind, at_ns, body FROM journal WHERE kind IN ('order_changed', 'phase_changed') ORDER BY id"
    )
    told = [(kind, at_ns, json.loads(body)) for kind, at_ns, body in bodies]
    ending = next(n for n, (kind, _, body) in enumerate(told) if body.get("phase") == "SHUTTING_DOWN")
    before = {body["order_id"]: body["state"] for kind, _, body in told[:ending] if kind == "order_changed"}
    assert list(before.values()) == ["SUBMITTED"], "it was on its way"
    (order_id,) = before
    assert [body["state"] for _, _, body in told if body.get("order_id") == order_id][-1] in ENDED
    assert told[-1][2]["phase"] == "COMPLETED"
    assert abs(told[ending][1] - END_NS) < SECOND
    ((signals, ended),) = rows(connection, "SELECT (SELECT count(*) FROM signals), (SELECT count(*) FROM outcomes)")
    assert signals == ended == 1
    (entry, *bracket) = rows(connection, "SELECT purpose, state, qty FROM orders ORDER BY placed_ns, order_id")
    assert entry == ("ENTRY", "FILLED", "0.815")
    if keep:
        assert [held["qty"] for held in report["positions_open"]] == ["0.815"]
        assert bracket == [("STOP", "ACCEPTED", "-0.815"), ("TARGET", "ACCEPTED", "-0.815")], "what stays is protected"
    else:
        assert report["positions_open"] == []
        assert bracket == [("CLOSE", "FILLED", "-0.815")]
    marks = [at_ns for (at_ns,) in rows(connection, "SELECT at_ns FROM equity_marks ORDER BY row")]
    assert max(after - at for at, after in pairwise(marks)) <= MINUTE + SECOND
    days = rows(connection, "SELECT count(*) FROM days")
    assert days == [(SPAN_NS // DAY + 1,)], "the end is the fourth day's first moment"
    connection.close()
