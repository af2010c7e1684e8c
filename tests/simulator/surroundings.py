"""What of a session is not simulated but left out: files for people, the guard's thread, the collector's freeze.

They act in real time and on threads, which no seed rules; their own tests run them as they are.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest import mock

import msgspec

from engine.core.calendar import Calendar
from engine.core.events import SessionPhase
from engine.core.view import DeskView
from engine.review.report import final_report
from engine.session.outputs import figures
from engine.session.plan import Plan
from engine.session.ports import Batch
from engine.session.shell import Shell
from tests.simulator.loop import VirtualLoop

NEVER_NS: Final = 10**18
ALERTS_MAX: Final = 20_000  # bytes of `alerts.jsonl`, which each of thousands of starts reads
KLINE_S: Final = 5.0  # between two pushes of a candle that has not closed; the desk is told nothing by them
PROBE_NS: Final = 1_000_000_000
"""How often the loop's lateness, and the files a desk must still have, are looked at: on virtual time only a machine
that stands still makes a loop late, and that is seen at the next look, whenever it comes."""


class NothingDue:
    """In place of the artifacts of the days and the summaries of the weeks: none is ever due."""

    def is_due(self, day: int) -> bool:
        return False


class Quiet:
    """In place of `Outputs`: the report is made and recorded, nothing else is written."""

    lost = 0

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.stacks = io.StringIO()
        self.days = self.weeks = NothingDue()

    def holds(self, symbols: frozenset[str], calendar: Calendar) -> None: ...

    def started(self, config: str) -> None: ...

    def written(self, batch: Batch) -> None: ...

    def beat(self, view: DeskView) -> None: ...

    def tell_weeks(self) -> None: ...

    def entered(self, phase: SessionPhase) -> None: ...

    def tell(self, view: DeskView) -> None: ...

    def say(self, text: str) -> None: ...

    def last_words(self) -> None: ...

    def finish(self, shell: Shell, reason: str, code: int, problems: list[str]) -> list[str]:
        told = msgspec.structs.replace(figures(self._plan, shell, reason, code), problems=tuple(problems))
        report = final_report(told)
        if shell.broken:
            return []
        if shell.emergency.is_on:
            shell.emergency.report(self._plan.folder.run_id, msgspec.json.encode(report).decode())
            return []
        self._plan.store.record_report(self._plan.folder.run_id, msgspec.json.encode(report).decode()).result(1)
        return []

    def close(self, reason: str, code: int) -> None: ...


class NoGuard:
    """In place of the guard's thread."""

    def __init__(self, **_: Any) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def beat(self) -> None: ...

    def is_watching(self) -> bool:
        return True

    def killed(self) -> None: ...


class _Dialed:
    """What aiohttp gets instead of a connected socket: where it leads."""

    def __init__(self, port: int) -> None:
        self.port = port


async def _dial(addr_infos: Any, **_: Any) -> _Dialed:
    return _Dialed(addr_infos[0][4][1])


@contextmanager
def surroundings(loop: VirtualLoop, origin_ns: int) -> Iterator[None]:
    """Everything that would reach real time, threads or sockets, replaced while the block lasts."""
    with (
        mock.patch("engine.session.session.Outputs", Quiet),
        mock.patch("engine.session.session.Guard", NoGuard),
        mock.patch("engine.session.session.gc", mock.Mock()),
        mock.patch("engine.session.session.PULSE_NS", NEVER_NS),  # no guard waits for it
        mock.patch("engine.session.alerting.record.SIZE_MAX", ALERTS_MAX),
        mock.patch("engine.session.watching.LAG_PROBE_NS", PROBE_NS),
        mock.patch("engine.session.watching.KILL_CHECK_NS", PROBE_NS),
        mock.patch.dict("engine.venues.sim.public.EVERY_S", kline=KLINE_S),
        mock.patch("engine.venues.sim.server.wall_ns", lambda: origin_ns),
        mock.patch("aiohttp.connector.aiohappyeyeballs.start_connection", _dial),
    ):
        yield
