"""What docs/execution-model.md shows runs, and what it states of the model is what is shipped."""

import json
import re
from pathlib import Path
from typing import Any

from engine.core import money
from engine.core.config import CoreConfig, PaperModel
from engine.core.latency import latency_ns
from engine.core.profiles import models
from engine.session.config import load, to_core

DOCUMENT = (Path(__file__).parents[1] / "docs" / "execution-model.md").read_text()


def shipped() -> CoreConfig:
    return to_core(load("paper", variables={}), [], [])


def test_the_session_driven_from_python_runs_and_trades() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.S)
    names: dict[str, Any] = {}
    exec(compile(example, "execution-model.md", "exec"), names)
    results = json.loads(names["exported"])
    assert results["trades"] and results["fills"] > len(results["trades"])
    assert len(results["equity"]) > 300 and results["signals"] > 0
    kept = [name for name in results if name.startswith("net_pnl")]
    assert len(kept) == 3 and all(re.fullmatch(r"-?\d+\.\d\d", results[name]) for name in kept)


def test_the_stated_latency_is_the_shipped_one() -> None:
    model: PaperModel = shipped().model
    drawn = [latency_ns(model, 7, "submit", number) for number in range(50_000)]
    assert f"({round(sum(drawn) / len(drawn) / 1e6)} ms in the mean" in DOCUMENT
    ms = 1_000_000
    assert f": {model.latency_ns_min // ms} to {model.latency_ns_max // ms} ms, and" in DOCUMENT
    assert f"{model.latency_ns_slow // ms} ms more" in DOCUMENT


def test_the_stated_edges_are_those_of_the_shipped_model() -> None:
    base = shipped().model
    worse, better = models(base).values()
    for model, half in ((worse, "upper"), (better, "lower")):
        low, high = (money.text(edge * 10_000) for edge in (model.slippage_min, model.slippage_max))
        assert re.search(rf"{half} half[^|]*\({low} to {high} bp\)", DOCUMENT)
    for model, word in ((worse, "half"), (better, "twice")):
        assert f"{word} ({money.text(model.displayed_max * 100)} %)" in DOCUMENT
        assert model.displayed_max == model.participation_max
