"""Telling systemd how the desk is: ready, at work, stopping, alive. Nothing happens where nobody supervises it.

The protocol is one datagram of `NAME=value` lines to the socket in NOTIFY_SOCKET (sd_notify(3)). The watchdog is fed by
the beat, from the engine's loop: a desk whose loop stands still feeds nobody.
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Final

from engine.core.clean import clean
from engine.core.events import SessionPhase

VARIABLE: Final = "NOTIFY_SOCKET"
EXTEND_SECONDS: Final = 120  # how much longer a start may take, said again at every step of it
STATUS_LETTERS_MAX: Final = 200


class Supervisor:
    """Whoever started the desk and wants to hear of it. `variables` is the environment."""

    def __init__(self, variables: Mapping[str, str] = {}) -> None:
        path = variables.get(VARIABLE, "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if path else None
        if self._socket is not None:
            self._socket.setblocking(False)

    @classmethod
    def of_this_process(cls) -> "Supervisor":
        """The one in the environment, which is kept from every child that is started from here on."""
        found = cls(os.environ)
        os.environ.pop(VARIABLE, None)
        return found

    def entered(self, phase: SessionPhase) -> None:
        """The session has come to `phase`. RUNNING, reached after recovery and with the books read, is ready."""
        match phase:
            case SessionPhase.RUNNING:
                self._tell("READY=1")
            case SessionPhase.SHUTTING_DOWN:
                self._tell("STOPPING=1")
            case _:
                self._tell(f"EXTEND_TIMEOUT_USEC={EXTEND_SECONDS * 1_000_000}")

    def beat(self, status: str) -> None:
        """The loop turns; `status` is the desk on a line."""
        self._tell("WATCHDOG=1", f"STATUS={clean(status)[:STATUS_LETTERS_MAX]}")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _tell(self, *lines: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # a supervisor that does not listen must not stop the desk
                self._socket.sendto("\n".join(lines).encode(), self._address)
