"""The runner: takes events to the core, their facts to the journal, and the effects out, in that order.

The core may run ahead of the disk; effects, receipts and views wait until the batch they rest on is durable. The runner
itself never waits: `close` hands a batch over and returns the journal's promise.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, Protocol

import msgspec

from engine.core.engine import Engine
from engine.core.events import AnyEvent, Wake
from engine.core.facts import AnyEffect, AnyFact, Fact, WakeAt
from engine.session.ports import Batch, Committed

BATCH_EVENTS_MAX: Final = 4_096


class Record(Protocol):
    """What takes batches: the journal, or the emergency record in its place."""

    def commit(self, batch: Batch) -> Future[Committed]: ...


class CoreFailed(Exception):
    """The core raised: a bug. What it remembers is not to be trusted any more; the journal is."""


class Closed(msgspec.Struct, frozen=True):
    """A batch on its way to the disk, and the effects that wait for it."""

    batch: Batch
    committed: Future[Committed]
    effects: Sequence[AnyEffect]


class Runner:
    """Drives one core. Not thread-safe: it belongs to the engine's loop.

    Attributes:
        wake_ns: When the core wants to be woken; 0 if it does not.
        sooner: Set when that has become earlier than it was; whoever waits for it clears it.
    """

    def __init__(self, engine: Engine, record: Record, run_id: str, next_seq: int, now: Callable[[], int]) -> None:
        self.engine = engine
        self.wake_ns = 0
        self.sooner = asyncio.Event()
        self._record = record
        self._run_id = run_id
        self._next_seq = next_seq
        self._now = now
        self._inputs: list[AnyEvent] = []
        self._facts: list[tuple[int, AnyFact]] = []
        self._effects: list[AnyEffect] = []

    def write_to(self, record: Record) -> None:
        """Hand batches to `record` from now on."""
        self._record = record

    @property
    def has_effects(self) -> bool:
        """Whether something waits for the open batch to be durable."""
        return bool(self._effects)

    @property
    def has_facts(self) -> bool:
        """Whether anything was decided or booked in the open batch."""
        return bool(self._facts)

    @property
    def open_events(self) -> int:
        return len(self._inputs)

    def take(self, event: AnyEvent) -> Sequence[AnyFact | AnyEffect]:
        """Let the core decide on `event` and put it, with what it led to, in the open batch."""
        try:
            out = self.engine.handle(event)
        except Exception as error:
            raise CoreFailed(f"{error!r} at {event!r}") from error
        self._inputs.append(event)
        if out:
            self._sort(out)
        return out

    def drive(self, events: Sequence[AnyEvent]) -> None:
        """Take events whose own time is the clock: wake-ups that come due in between happen in between."""
        handle, inputs = self.engine.handle, self._inputs
        event: AnyEvent | None = None
        try:
            for event in events:
                while 0 < self.wake_ns <= event.at_ns:
                    self.take(Wake(self._woken()))
                out = handle(event)
                inputs.append(event)
                if out:
                    self._sort(out)
        except CoreFailed:
            raise
        except Exception as error:
            raise CoreFailed(f"{error!r} at {event!r}") from error

    def wake(self, now_ns: int) -> None:
        """Take a wake-up if one is due."""
        if 0 < self.wake_ns <= now_ns:
            self._woken()
            self.take(Wake(now_ns))

    def _woken(self) -> int:
        due, self.wake_ns = self.wake_ns, 0
        return due

    def _sort(self, out: Sequence[AnyFact | AnyEffect]) -> None:
        seq = self._next_seq + len(self._inputs) - 1
        for item in out:
            if isinstance(item, Fact):
                self._facts.append((seq, item))
            elif isinstance(item, WakeAt):
                if not 0 < self.wake_ns <= item.at_ns:
                    self.sooner.set()
                self.wake_ns = item.at_ns
            else:
                self._effects.append(item)

    def close(self, snapshot: bool = False) -> Closed | None:
        """Hand the open batch to the journal; None if nothing is open. Blocks only while its queue is full."""
        if not self._inputs:
            return None
        batch = Batch(
            run_id=self._run_id,
            first_seq=self._next_seq,
            inputs=self._inputs,
            facts=self._facts,
            recorded_ns=self._now(),
            snapshot=self.engine.snapshot() if snapshot else None,
        )
        self._next_seq += len(self._inputs)
        effects = self._effects
        self._inputs, self._facts, self._effects = [], [], []
        return Closed(batch, self._record.commit(batch), effects)
