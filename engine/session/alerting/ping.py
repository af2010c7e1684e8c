"""The dead-man's ping: an address outside that is called while, and only while, the desk is healthy.

Who is called alarms when the calls stay away, so a desk that has died, frozen or lost its network needs to say nothing.
It runs on a thread of its own and judges by the newest view: a view that does not change is a desk that does not move.
"""

import logging
import threading
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Final, Literal

from engine.core.view import DeskView
from engine.session.health import is_healthy
from engine.session.secret import Secret

TIMEOUT_SECONDS: Final = 5.0
Style = Literal["plain", "healthchecks"]

log = logging.getLogger("alerts")


class Ping:
    """Calls one address. `healthchecks` adds /start and /fail; `plain` says everything by calling or not."""

    def __init__(self, url: Secret, every_s: float, style: Style, view: Callable[[], DeskView | None]) -> None:
        self._url = url
        self._every_s = every_s
        self._style = style
        self._view = view
        self._beats = -1
        self._was_heard = True
        self._ending = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="alerts-ping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, failed: bool) -> None:
        """End, saying so at once if the run has `failed`; a run that ended in order is just silent from now on."""
        self._failed = failed
        self._ending.set()
        self._thread.join(TIMEOUT_SECONDS)

    def _run(self) -> None:
        self._signal("/start", "")
        while not self._ending.wait(self._every_s):
            healthy, reasons = self._judge()
            if healthy:
                self._call("", "")
            else:
                log.info("not pinged: %s", "; ".join(reasons))
                self._signal("/fail", "\n".join(reasons))
        if self._failed:
            self._signal("/fail", "the run ended by an error")

    def _judge(self) -> tuple[bool, tuple[str, ...]]:
        view = self._view()
        healthy, reasons = is_healthy(view)
        beats = view.heartbeat.count if view is not None else -1
        moved, self._beats = beats != self._beats, beats
        return (healthy, reasons) if moved else (False, (*reasons, "the desk has not moved since the last ping"))

    def _signal(self, suffix: str, text: str) -> None:
        if self._style == "healthchecks":
            self._call(suffix, text)

    def _call(self, suffix: str, text: str) -> None:
        """One call; that it fails is logged once until one is heard again, without the address."""
        request = urllib.request.Request(self._url.reveal().rstrip("/") + suffix, data=text.encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
                heard, why = True, ""
        except (OSError, HTTPException, ValueError) as error:
            heard, why = False, type(error).__name__
        if heard is not self._was_heard:
            self._was_heard = heard
            log.info("the ping is heard again") if heard else log.warning("the ping is not heard: %s", why)
