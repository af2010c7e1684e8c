"""The strategy written out in docs/strategies.md is loaded by name and proposes what the page says."""

import sys
from pathlib import Path

import pytest

from engine.core.config import MINUTE
from engine.core.events import Bar
from engine.core.strategy import Proposal
from engine.core.words import Side
from engine.strategies import make, spec
from tests.rig import SYMBOL, d

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"


class Idle:
    """A market in which nothing is busy."""

    def quote(self, symbol: str) -> None:
        return None

    def tick(self, symbol: str) -> int:
        return 1

    def is_busy(self, symbol: str) -> bool:
        return False


def test_the_strategy_of_the_page_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = PAGE.read_text().split("```python\n")[1].split("```")[0]
    (tmp_path / "my_strategies.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        strategy = make(spec("mine", "my_strategies:Breakout", {"bars": 3}, [SYMBOL]))
        closes = [100, 101, 100, 100, 103]
        told = [
            strategy.on_bar(Bar(SYMBOL, 0, n * MINUTE, MINUTE, d(c), d(c), d(c), d(c), 0), Idle())
            for n, c in enumerate(closes)
        ]
    finally:
        sys.modules.pop("my_strategies", None)
    assert [len(wishes) for wishes in told] == [0, 0, 0, 0, 1]
    (proposal,) = told[-1]
    assert isinstance(proposal, Proposal)
    assert (proposal.side, proposal.entry, proposal.stop, proposal.target) == (Side.LONG, 0, d("101.97"), d("105.06"))
