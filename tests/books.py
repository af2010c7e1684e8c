"""What must hold of the books of any desk whatever happened in it."""

from engine.core.engine import Engine
from engine.core.ledger import CASH, asset
from engine.core.paper_ledger import PaperLedger


def assert_books_agree(engine: Engine, ledger: PaperLedger) -> None:
    """The broker's own ledger and the desk's books, kept apart, say the same of what is held and what was made.

    The broker's cash is what is left after buying, the desk's what there would be had it been sold at cost.
    """
    held = engine.state.positions
    assert {symbol: position.qty for symbol, position in ledger.positions.items()} == {
        symbol: position.qty for symbol, position in held.items()
    }
    assert ledger.cash + sum(position.cost for position in held.values()) == engine.state.cash


def assert_entries_balance(engine: Engine) -> None:
    """The double entry sums to zero, agrees with the desk's books, and never disagreed with them."""
    ledger = engine.state.ledger
    assert ledger.total() == 0
    assert ledger.balance(CASH) + sum(ledger.balance(asset(s)) for s in engine.desk.instruments) == engine.state.cash
    assert engine.trading.bookkeeping.difference() == engine.state.ledger_difference == ""


def assert_signals_conserve(engine: Engine) -> None:
    """Every signal of the run has exactly one verdict, or is in flight."""
    tally = engine.state.tally
    assert tally.signals == sum(tally.ended.values()) + engine.trading.entries.in_flight()


def assert_profit_is_explained(engine: Engine) -> None:
    """What the run made is realised, plus the change of unrealised, less fees and funding, to the last digit."""
    desk, tally = engine.desk, engine.state.tally
    moved = desk.unrealized - tally.starting_unrealized
    assert desk.equity - tally.starting_equity == tally.realized + moved - tally.fees - tally.funding


def assert_sound(engine: Engine, ledger: PaperLedger) -> None:
    """All of it."""
    assert_books_agree(engine, ledger)
    assert_entries_balance(engine)
    assert_profit_is_explained(engine)
    assert_signals_conserve(engine)
