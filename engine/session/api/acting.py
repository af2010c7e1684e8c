"""Carrying out a signed command: over the desk's control socket, and a kill, where that is mute, by the kill file."""

import logging
from typing import Any

import msgspec

from engine.core.events import Act
from engine.session import remote
from engine.session.api.signing import Denied, Nonces, SignedCommand, Verifier
from engine.session.errors import SessionError
from engine.session.home import Home
from engine.session.ports import Clock, CommandRequest

log = logging.getLogger("control")


class Actor:
    """Obeys commands that `verifier` lets pass, each once. Blocking; one call at a time."""

    def __init__(self, home: Home, verifier: Verifier, nonces: Nonces, clock: Clock) -> None:
        self._home = home
        self._verifier = verifier
        self._nonces = nonces
        self._clock = clock

    def check(self, command: SignedCommand) -> None:
        """Raises `Denied` for a command that is not to be obeyed."""
        self._verifier.check(command, self._clock.now_ns())

    def obey(self, command: SignedCommand, source: str, whence: str) -> dict[str, Any]:
        """Do what `command` asks; the answer for its sender. `source` is api or webhook, `whence` an address.

        Raises:
            Denied: it is not to be obeyed, or the desk did not take it.
        """
        self.check(command)
        now_ns = self._clock.now_ns()
        try:
            self._nonces.add(command.nonce, now_ns)
        except OSError as problem:  # on a full disk a kill is still obeyed; only a restart could forget it was
            log.error("a nonce could not be kept: %s", problem)
            if command.act != Act.KILL:
                raise Denied("failed", f"the command could not be recorded: {problem}") from problem
        log.info("%s from %s: %s", command.act, whence, command.reason or "no reason given")
        if command.act == "status":
            return self._status()
        request = CommandRequest(
            Act(command.act), source, "", ", ".join(filter(None, (command.reason, f"from {whence}")))
        )
        if command.act == Act.KILL:
            return msgspec.to_builtins(remote.kill(self._home, request))  # type: ignore[no-any-return]
        try:
            receipt = remote.command(remote.socket_of(self._home), request)
        except SessionError as failure:
            raise Denied("failed", str(failure)) from failure
        return {"accepted": receipt.accepted, "text": receipt.text, "took_us": receipt.took_us}

    def _status(self) -> dict[str, Any]:
        try:
            found = remote.status(self._home)
        except SessionError as failure:
            raise Denied("failed", str(failure)) from failure
        found.pop("rearm_token", None)  # what makes the desk riskier is never had from outside
        return found
