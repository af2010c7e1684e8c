"""The terminal as the console needs it: one that may stall, crawl or vanish without taking the process with it.

Textual's own Linux driver hands its output to a queue that blocks when a terminal stops reading, waits for that queue
at the end, and spins on the input of a closed terminal. This one keeps a bounded amount of output and drops the rest
(the screen is then sent whole once the terminal reads again), leaves after a bounded time, and tells the app when its
terminal is gone. It rests on private names of Textual, hence the pin below version 9 and the tests on a real pty.
"""

import contextlib
import os
import select
import signal
import sys
import threading
from codecs import getincrementaldecoder
from typing import Any, Final, Protocol

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

PENDING_MAX: Final = 512 * 1024  # characters; a full repaint of a large screen is about 150,000
CLOSE_SECONDS: Final = 2.0
POLL_MS: Final = 100
CANCEL: Final = "\x18"  # ends an escape sequence that was cut short


class TerminalOwner(Protocol):
    """What the driver tells its app, always on the app's own loop."""

    def terminal_gone(self) -> None:
        """The terminal was closed: nothing more can be shown or typed."""

    def terminal_ready(self) -> None:
        """The terminal reads again after output was dropped, or the process was continued: repaint all."""


class Outlet(threading.Thread):
    """Writes to a file descriptor in a thread of its own. `write` never blocks."""

    def __init__(self, fd: int) -> None:
        super().__init__(name="terminal-output", daemon=True)
        self._fd = fd
        self._changed = threading.Condition()
        self._waiting: list[str] = []
        self._pending = 0
        self._writing = False
        self._ended = False
        self._lost = False
        self.gone = False

    def write(self, text: str) -> None:
        """Queue `text`; when too much waits already it is dropped, and `take_lost` says so."""
        with self._changed:
            if self.gone or self._ended:
                return
            if self._lost or self._pending + len(text) > PENDING_MAX:
                self._lost = True  # one gap: what follows would draw on a screen that missed something
                return
            self._waiting.append(text)
            self._pending += len(text)
            self._changed.notify_all()

    def waits(self) -> bool:
        """Whether the terminal has not yet taken all that was written."""
        return (self._writing or bool(self._waiting)) and not self.gone

    def take_lost(self) -> bool:
        """Whether output was dropped and all the rest is out now; asking clears it."""
        with self._changed:
            if not self._lost or self._waiting or self._writing:
                return False
            self._lost = False
            return True

    def forget(self) -> None:
        """Drop what waits, so that what is written next is all that still goes out."""
        with self._changed:
            self._waiting.clear()
            self._pending, self._lost = 0, False

    def end(self, seconds: float) -> None:
        """Let what waits go out, for `seconds` at most."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self.join(seconds)

    def run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if not self._waiting:
                    return
                text = "".join(self._waiting)
                self._waiting.clear()
                self._writing, self._pending = True, 0
            try:
                self._write_all(text.encode("utf-8", "replace"))
            except OSError:
                self.gone = True
                return

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]


class PatientDriver(LinuxDriver):
    """Textual's Linux driver, except that no state of the terminal can hold up the console."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        assert sys.__stdout__ is not None
        self._owner: TerminalOwner = app
        self._outlet = Outlet(sys.__stdout__.fileno())
        self._outlet.start()

    def output_waits(self) -> bool:
        """Whether output still waits for the terminal: the next frame is better skipped."""
        if self._outlet.take_lost():
            self._owner.terminal_ready()
        return self._outlet.waits()

    @property
    def can_suspend(self) -> bool:
        return False

    def write(self, data: str) -> None:
        self._outlet.write(data)

    def flush(self) -> None:
        """Nothing is held back here."""

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual leaves this one unannotated
        writer, self._writer_thread = self._writer_thread, None
        if writer is not None:
            writer.stop()  # it has nothing to write: `write` goes to the outlet

    def stop_application_mode(self) -> None:
        if self._outlet.waits():
            self._outlet.forget()  # old frames are of no use now; the terminal's own state is
            self.write(CANCEL)
        super().stop_application_mode()

    def close(self) -> None:
        self._outlet.end(CLOSE_SECONDS)
        for number in (signal.SIGTSTP, signal.SIGCONT):
            signal.signal(number, signal.SIG_DFL)

    def _get_terminal_size(self) -> tuple[int, int]:
        """What the terminal itself says: COLUMNS and LINES of the environment do not follow a resize."""
        assert sys.__stdout__ is not None
        try:
            width, height = os.get_terminal_size(sys.__stdout__.fileno())
        except OSError:  # the terminal is gone; whoever watches it will say so
            return super()._get_terminal_size()
        return (width, height) if width and height else super()._get_terminal_size()

    def _sigtstp_application(self, *_: object) -> None:
        """Not stopped: an engine may live in this process."""

    def _sigcont_application(self, *_: object) -> None:
        self._tell(self._owner.terminal_ready)

    def run_input_thread(self) -> None:
        """Read keys until the app leaves or the terminal is gone."""
        parser = XTermParser(self._debug)
        decoder = getincrementaldecoder("utf-8")("replace")
        poller = select.poll()
        poller.register(self.fileno, select.POLLIN)
        while not self.exit_event.is_set():
            for _, mask in poller.poll(POLL_MS):
                data = self._read() if mask & select.POLLIN else b""
                if not data:
                    self._outlet.gone = True
                    self._tell(self._owner.terminal_gone)
                    return
                for event in parser.feed(decoder.decode(data)):
                    self.process_message(event)
            for event in parser.tick():
                self.process_message(event)

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, 4096)
        except OSError:
            return b""  # EIO is how a closed pty answers

    def _tell(self, told: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the app has left already
            self._loop.call_soon_threadsafe(told)
