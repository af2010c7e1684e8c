"""Reads many inputs in a process of its own: one core decodes what comes next while the other drives the desk with it.

That process is a help and no more. Where it cannot be started or ends too soon, what it did not bring is read here, and
what is wrong with that is raised here.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Final

import msgspec

from engine.core.events import AnyEvent
from store.inputs import Inputs

INPUTS_MIN: Final = 200_000
"""Below, starting a process takes longer than it saves."""

_SIZE_BYTES: Final = 8
_PIPE_BYTES: Final = 1 << 20
_Run = tuple[int, list[AnyEvent]]
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Run).decode


def is_worth_it(inputs: int) -> bool:
    """Whether so many inputs are read sooner with the help of another process."""
    return inputs >= INPUTS_MIN and (os.cpu_count() or 1) > 1


class Ahead:
    """The events behind `after_seq`, in order, as `Inputs.events` gives them. May be iterated again."""

    def __init__(self, path: Path, after_seq: int) -> None:
        self._path = path
        self._after_seq = after_seq

    def __iter__(self) -> Iterator[AnyEvent]:
        return chain.from_iterable(self._runs())

    def _runs(self) -> Iterator[list[AnyEvent]]:
        after = self._after_seq
        for first, events in self._brought():
            if first != after + 1:
                break
            yield events
            after += len(events)
        for _, events in Inputs(self._path, after).runs():
            yield events

    def _brought(self) -> Iterator[_Run]:
        """What the other process brings before it ends."""
        words = [sys.executable, "-P", "-m", "store.ahead", str(self._path.absolute()), str(self._after_seq)]
        quiet = subprocess.DEVNULL
        try:
            process = subprocess.Popen(
                words, _PIPE_BYTES, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, pipesize=_PIPE_BYTES
            )
        except OSError:
            return
        with process:
            assert process.stdout is not None
            try:
                yield from received(process.stdout)
            finally:
                process.kill()


def send(runs: Iterable[_Run], pipe: IO[bytes]) -> None:
    """Write every run of inputs, each behind its length."""
    for run in runs:
        body = _pack(run)
        pipe.write(len(body).to_bytes(_SIZE_BYTES) + body)
    pipe.flush()


def received(pipe: IO[bytes]) -> Iterator[_Run]:
    """The runs that were sent, up to the last that came whole."""
    while len(size := pipe.read(_SIZE_BYTES)) == _SIZE_BYTES:
        wanted = int.from_bytes(size)
        body = pipe.read(wanted)
        if len(body) < wanted:
            return
        yield _unpack(body)


if __name__ == "__main__":
    send(Inputs(Path(sys.argv[1]), int(sys.argv[2])).runs(), sys.stdout.buffer)
