"""The guard: a small thread outside the event loop that can stop the desk when nothing else can.

It watches the kill file and the engine's beat, closes the gate, and ends a process whose loop is frozen. It measures
its own lateness too: when the whole process was paused, it says so and counts afresh instead of killing a healthy desk.
Paused is who was late and had no processor meanwhile; code that held the interpreter had one.
Behind it stands an alarm of the system, for C code that holds the interpreter lock: it counts the processor's time and
not the wall's, so that it is no more deceived by a pause than the guard is. And a crash inside an extension writes the
stacks, too, before it ends the process.
"""

import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Final, TextIO

from engine.session.clock import WallClock, block

PERIOD_SECONDS: Final = 0.1
SILENT_SECONDS: Final = 0.5  # a loop that has not beaten for so long no longer puts off the alarm
LATE_NS: Final = 1_000_000_000  # the guard itself this late means the process was paused
FROZEN_NS: Final = 30_000_000_000
KILLED_SILENT_NS: Final = 2_000_000_000
UNSEEN_MAX: Final = 300  # beats of a loop that turns, half a minute of them, without a round of the guard
BEHIND_SECONDS: Final = 1  # how much later the alarm goes off than the guard
ALARM: Final = signal.SIGPROF

log = logging.getLogger("watchdog")


class Guard:
    """Watches from outside the loop. `beat` is called by the loop; `on_kill` is called once, from this thread.

    `kill_requested` says which kill file or variable stands (None: none). `on_pause` is told, from this thread, for how
    long (ns) the process stood still. `last_words` runs before a hard exit, and is told why.
    """

    def __init__(
        self,
        kill_requested: Callable[[], str | None],
        on_kill: Callable[[str], None],
        on_pause: Callable[[int], None],
        stacks: TextIO,
        last_words: Callable[[str], None],
        frozen_ns: int = FROZEN_NS,
    ) -> None:
        self._kill_requested = kill_requested
        self._on_kill = on_kill
        self._on_pause = on_pause
        self._stacks = stacks
        self._last_words = last_words
        self._frozen_ns = frozen_ns
        self._clock = WallClock()
        self._beat_ns = self._clock.mono_ns()
        self._unseen = 0
        self._killed = False
        self._ended = threading.Event()
        self._alarm = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)

    def start(self) -> None:
        # Written by the signal handler itself, lock or no lock; then the signal does what it always does, and ends us.
        faulthandler.register(ALARM, file=self._stacks, all_threads=True, chain=True)
        faulthandler.enable(file=self._stacks, all_threads=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch; the process may now be as slow as it likes."""
        self._ended.set()
        with self._alarm:
            signal.setitimer(signal.ITIMER_PROF, 0)
        self._thread.join(timeout=2)
        faulthandler.unregister(ALARM)
        faulthandler.disable()

    def beat(self) -> None:
        """The loop is alive."""
        self._beat_ns = self._clock.mono_ns()
        self._unseen += 1

    def is_watching(self) -> bool:
        """Whether the thread still makes its rounds. Counted in beats: a pause stops the loop like the thread."""
        return self._thread.is_alive() and self._unseen <= UNSEEN_MAX

    def killed(self) -> None:
        """A kill is under way: from now on little silence is borne."""
        self._killed = True

    def _watch(self) -> None:
        seen_ns, worked_ns = self._clock.mono_ns(), time.process_time_ns()
        while not self._ended.is_set():
            self._set_alarm()
            block(PERIOD_SECONDS)
            self._unseen = 0
            now_ns, used_ns = self._clock.mono_ns(), time.process_time_ns() - worked_ns
            silent_ns = now_ns - seen_ns
            if silent_ns > PERIOD_SECONDS * 1_000_000_000 + LATE_NS and used_ns < silent_ns // 2:
                self._beat_ns = now_ns  # the process was paused, not the loop
                self._on_pause(silent_ns)
            seen_ns, worked_ns = now_ns, worked_ns + used_ns
            self._check_kill()
            limit = KILLED_SILENT_NS if self._killed else self._frozen_ns
            if now_ns - self._beat_ns > limit and not self._ended.is_set():
                self._end_frozen(now_ns - self._beat_ns)

    def _set_alarm(self) -> None:
        """Only while the loop beats: a thread that still runs must not keep a frozen loop alive."""
        with self._alarm:
            if self._ended.is_set() or self._clock.mono_ns() - self._beat_ns >= SILENT_SECONDS * 1_000_000_000:
                return
            signal.setitimer(signal.ITIMER_PROF, self._frozen_ns / 1_000_000_000 + BEHIND_SECONDS)

    def _check_kill(self) -> None:
        if self._killed:
            return
        source = self._kill_requested()
        if source is not None:
            self._killed = True
            self._on_kill(source)

    def _end_frozen(self, silent_ns: int) -> None:
        text = f"WATCHDOG_FATAL: Main loop frozen for {silent_ns / 1e9:.1f} s"
        log.critical(text)
        print(text, file=self._stacks)
        faulthandler.dump_traceback(file=self._stacks, all_threads=True)
        self._stacks.flush()
        try:
            self._last_words(text)
            sys.stdout.flush()
        finally:
            os._exit(1)
