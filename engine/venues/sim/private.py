"""The private socket: a signed login, then orders, positions and balance as they change, one object a message.

Whether the venue wants a subscribe after the login is not known; this one pushes after a login either way.
"""

from collections.abc import Callable, Mapping
from typing import Final

from engine.venues.sim import objects, wire
from engine.venues.sim.accounts import Account
from engine.venues.sim.faults import Faults
from engine.venues.sim.signing import matches, signature
from engine.venues.sim.sockets import Client, Request, Sockets, arguments
from engine.venues.sim.wire import MS

SECONDS_MAX: Final = 10**11
"""A login's timestamp below this is in seconds, above in milliseconds; clients send both."""


class Private:
    """Who is logged in, and what they get."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        secrets: Mapping[str, str],
        sockets: Sockets,
        faults: Faults,
        is_timely: Callable[[int], bool],
    ) -> None:
        self._accounts = accounts
        self._secrets = secrets
        self._sockets = sockets
        self._faults = faults
        self._is_timely = is_timely

    def request(self, client: Client, request: Request) -> None:
        """Take one client message; only a login is answered."""
        if request.get("op") != "login":
            return
        key = next((key for arg in arguments(request) if (key := self._login(arg))), "")
        client.key = key
        client.send(wire.message({"op": "login", "data": {"result": bool(key)}}))

    def _login(self, arg: Request) -> str:
        """The key an argument proves to own; empty when it does not."""
        key, nonce, claimed = (str(arg.get(name, "")) for name in ("apiKey", "nonce", "sign"))
        stamp = str(arg.get("timestamp", ""))
        secret, at = self._secrets.get(key), wire.digits(stamp)
        if secret is None or at is None or not self._is_timely((at * 1_000 if at < SECONDS_MAX else at) * MS):
            return ""
        return key if matches(claimed, signature(secret, key, nonce, stamp, (), b"")) else ""

    def tick(self, shown_ns: int) -> None:
        """Push what changed since the last tick."""
        for key, account in self._accounts.items():
            if not account.pushes:
                continue
            messages = objects.pushes(account, shown_ns // MS)
            if self._faults.duplicate_push:
                messages = [message for message in messages for _ in range(2)]
            burst = b"".join(messages)
            for client in list(self._sockets.clients):
                if client.key == key:
                    client.push(burst)
