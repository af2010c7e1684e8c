"""A recorded run made of plain values: ten minutes of a desk that trades at once, with errors that trip a breaker."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from engine.core.config import MINUTE, SECOND, CoreConfig, Sizing
from engine.core.engine import Engine
from engine.core.events import AnyEvent, Bar, ErrorNoted, PhaseEntered, Quote, RunStarted, SessionPhase
from engine.core.facts import AnyFact, Fact
from engine.core.money import parse
from engine.review.marks import Mark, mark_of
from engine.session.ports import Batch
from engine.strategies import make_all, spec
from store.recovery import RunStart
from tests.rig import START_NS, instrument

RUN_ID: Final = "20261121-070822"
SYMBOLS: Final = ("BTCUSDT", "ETHUSDT")
SECONDS: Final = 600
ERRORS_AT: Final = range(300, 312)


def events() -> list[AnyEvent]:
    config = CoreConfig(
        env="paper",
        seed=1,
        paper=True,
        starting_equity=parse("10000"),
        instruments=tuple(instrument(symbol, group=symbol) for symbol in SYMBOLS),
        strategies=(spec("eager", "tests.e2e.eager:Eager", {}, SYMBOLS),),
        sizing=Sizing(risk_per_trade=parse("10"), notional_max=parse("500")),
        resting_stops=True,
    )
    told: list[AnyEvent] = [
        RunStarted(START_NS, RUN_ID, config),
        PhaseEntered(START_NS, SessionPhase.INITIALIZING, SessionPhase.SEEDING_HISTORY),
    ]
    for symbol in SYMBOLS:
        for minute in range(60):
            price = parse("100") + (minute % 2) * parse("0.1")
            start_ns = START_NS - (60 - minute) * MINUTE
            told.append(Bar(symbol, START_NS, start_ns, MINUTE, price, price, price, price, parse("10"), True))
    told.append(PhaseEntered(START_NS, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    for second in range(1, SECONDS + 1):
        at_ns = START_NS + second * SECOND
        if second in ERRORS_AT:
            told.append(ErrorNoted(at_ns, "feed", f"failure {second}", f"f{second}"))
        for symbol in SYMBOLS:
            bid = parse("100") + second % 7 * parse("0.01")
            told.append(Quote(symbol, at_ns, at_ns, bid, bid + parse("0.1"), parse("50"), parse("50")))
    return told


class PlainRun:
    """The run in memory, as `store.recording.Recording` gives it. `states` are kept every so many inputs."""

    def __init__(self, told: Sequence[AnyEvent], states_every: int = 0, first: int = 1) -> None:
        self.run_id, self.first, self.last = RUN_ID, first, first + len(told) - 1
        self.told = list(told)
        self.recorded: list[tuple[int, AnyFact]] = []
        self.states: dict[int, bytes] = {}
        engine = Engine(make_all)
        engine.state.seq = first - 1
        for seq, event in enumerate(told, start=first):
            self.recorded += [(seq, item) for item in engine.handle(event) if isinstance(item, Fact)]
            if seq == first or (states_every and seq % states_every == 0):
                self.states[seq] = engine.snapshot()
        self.end = engine
        self.first_ns, self.last_ns = told[0].at_ns, told[-1].at_ns
        self.running, self.running_ns = first + 122, told[122].at_ns

    def start(self, seq: int) -> RunStart | None:
        at = max((at for at in self.states if at <= seq), default=0)
        return RunStart(self.states[at], at, 0, 0) if at else None

    def inputs(self, after: int) -> Iterator[tuple[int, AnyEvent]]:
        return iter([(seq, event) for seq, event in enumerate(self.told, start=self.first) if seq > after])

    def facts(self, after: int) -> Iterator[tuple[int, AnyFact]]:
        return iter([(seq, fact) for seq, fact in self.recorded if seq > after])

    def facts_back(self, seq: int) -> Iterator[tuple[int, AnyFact]]:
        return iter([(cause, fact) for cause, fact in reversed(self.recorded) if cause <= seq])

    def marks(self) -> dict[Mark, list[int]]:
        return {mark: sorted({seq for seq, fact in self.recorded if mark_of(fact) is mark}) for mark in Mark}

    def seq_at(self, at_ns: int) -> int:
        times = [event.at_ns for event in self.told]
        return max(self.first, self.first + bisect_right(times, at_ns) - 1)

    def row_at(self, seq: int) -> int:
        return sum(cause <= seq for cause, _ in self.recorded)

    def batches(self) -> Iterator[Batch]:
        """As the desk hands them to its journal: the first input alone, then a minute's worth each."""
        edges = [0, 1, *range(100, len(self.told), 100), len(self.told)]
        for begin, end in pairwise(edges):
            first, last = self.first + begin, self.first + end - 1
            facts = [(seq, fact) for seq, fact in self.recorded if first <= seq <= last]
            yield Batch(RUN_ID, first, self.told[begin:end], facts, self.told[end - 1].at_ns, self.states.get(last))
