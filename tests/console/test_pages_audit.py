"""The journal's page: facts as people read them."""

import msgspec
import pytest

from console.pages.audit import told
from engine.core.facts import EquityMarked, Fact, TradeClosed
from engine.core.money import parse
from store.records import EventRecord
from tests.store.making import mark, trade


def recorded(fact: Fact) -> EventRecord:
    kind = fact.__struct_config__.tag
    return EventRecord(1, 1, "r1", str(kind), fact.at_ns, "", "", msgspec.json.encode(fact).decode())


def test_amounts_are_decimals_and_times_are_times() -> None:
    shown = told(recorded(trade("t1", "-0.0621")))
    assert shown["pnl"] == "-0.0621"
    assert shown["entry_price"] == "50000" or "." in shown["entry_price"] or shown["entry_price"].isdigit()
    assert shown["entry_at_ns"].count(":") == 2 and shown["entry_at_ns"].count("-") == 2
    assert told(recorded(mark("9998.4192773")))["equity"] == "9998.4192773"


def test_counts_stay_counts_and_what_is_no_fact_stays_as_it_was_written() -> None:
    row = EventRecord(1, 1, "r1", "report", 0, "", "", '{"orders": 12, "equity": 999841927730}')
    assert told(row) == {"orders": "12", "equity": "999841927730"}


@pytest.mark.parametrize("kind", [TradeClosed, EquityMarked])
def test_no_amount_is_shown_as_its_units(kind: type[Fact]) -> None:
    fact = trade() if kind is TradeClosed else mark()
    for name, text in told(recorded(fact)).items():
        value = getattr(fact, name, None)
        if isinstance(value, int) and not name.endswith("_ns"):
            assert parse(text) == value
