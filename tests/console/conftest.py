"""The command line as a test runs it: a home of its own, an empty working directory, and a short run in the books."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from console.answers.catalogue import ANSWERS, problem
from console.answers.codes import codes_of
from console.cli import main
from engine.core.config import CoreConfig
from engine.core.engine import Engine
from engine.core.events import Quote, RunStarted
from engine.core.facts import AnyFact, Fact
from engine.core.money import parse
from engine.core.times import MINUTE
from engine.session.clock import WallClock
from engine.session.home import Home
from engine.session.ports import Batch
from engine.strategies import make_all, spec
from store.desk import open_store
from tests.rig import instrument

Nightdesk = Callable[..., tuple[int, str, str]]


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and no variable of ours."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    for name in [name for name in os.environ if name.startswith("NIGHTDESK_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def nightdesk(nowhere: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Nightdesk:
    """Run a command on the home of this test: exit code, standard output, standard error.

    Its exit code, and what it answers in JSON, must be among what the command is declared to end with and to answer.
    """

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*arguments, "--home", str(tmp_path)])
        out = capsys.readouterr()
        command = _command(arguments)
        assert not command or code in codes_of(command), f"{command} is not said to end with {code}"
        if "--json" in arguments and out.out:
            assert not problem(command, out.out)
        return code, out.out, out.err

    return run


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path, "paper")


@pytest.fixture
def a_run(home: Home) -> str:
    """A short run in the books: three hours of quotes that rise and fall, one trend follower."""
    home.create()
    btc = instrument()
    params: dict[str, int | str | bool] = {}
    config = CoreConfig(
        env="paper",
        seed=1,
        paper=True,
        starting_equity=parse("10000"),
        instruments=(btc,),
        strategies=(spec("trend", "trend", params, ["BTCUSDT"]),),
    )
    engine = Engine(make_all)
    begun_ns = 1_795_244_902 * 10**9
    inputs: list[Any] = [RunStarted(begun_ns, "20261121-070822", config)]
    for step in range(180):
        bid = parse(str(60_000 + abs(step - 90)))
        at_ns = begun_ns + step * MINUTE
        inputs.append(Quote("BTCUSDT", at_ns, at_ns, bid, bid + parse("0.1"), parse("1"), parse("1")))
    facts: list[tuple[int, AnyFact]] = []
    store = open_store(home.database, "paper", WallClock(), threaded=False)
    for seq, event in enumerate(inputs, start=1):
        facts += [(seq, item) for item in engine.handle(event) if isinstance(item, Fact)]
        if seq == 1:  # the state a run begins with is kept with its first input
            first = Batch("20261121-070822", 1, inputs[:1], facts, begun_ns, engine.snapshot())
            store.journal.commit(first).result()
            facts = []
        elif seq == 91:  # and another one halfway
            half = Batch("20261121-070822", 2, inputs[1:91], facts, event.at_ns, engine.snapshot())
            store.journal.commit(half).result()
            facts = []
    store.journal.commit(Batch("20261121-070822", 92, inputs[91:], facts, inputs[-1].at_ns)).result()
    store.close()
    return engine.decision_hash


def _command(arguments: Sequence[str]) -> str:
    """The command among the arguments; the name of the program where there is none."""
    words = f" {' '.join(arguments)} "
    return max((command for command in ANSWERS if f" {command} " in words), key=len, default="")
