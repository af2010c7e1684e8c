"""The simulator's own calls under `/sim/`, for tests and drills. No venue has them and no adapter uses them."""

from collections.abc import Callable, Mapping

import msgspec
from aiohttp import web

from engine.core import money
from engine.venues.sim import objects
from engine.venues.sim.accounts import Account
from engine.venues.sim.clock import VenueClock
from engine.venues.sim.faults import Faults
from engine.venues.sim.wire import MS


class Control:
    """Time, faults and the venue's own ledger."""

    def __init__(
        self, accounts: Mapping[str, Account], clock: VenueClock, faults: Faults, drop_all: Callable[[], int]
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        self._faults = faults
        self._drop_all = drop_all
        self.has_ended = False

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sim/time", self.time),
            web.get("/sim/faults", self.faults),
            web.post("/sim/faults", self.set_faults),
            web.delete("/sim/faults", self.clear_faults),
            web.post("/sim/drop", self.drop),
            web.get("/sim/journal", self.journal),
        ]

    async def time(self, request: web.Request) -> web.Response:
        return _json({"now_ns": self._clock.now_ns(), "speed": self._clock.speed, "ended": self.has_ended})

    async def faults(self, request: web.Request) -> web.Response:
        return _json(self._faults)

    async def set_faults(self, request: web.Request) -> web.Response:
        """Set the fields named in the body; HTTP 400 for an unknown one, and then nothing is set."""
        body = await request.read()
        try:
            wanted = msgspec.json.decode(body, type=Faults)
            named = msgspec.json.decode(body, type=dict[str, object])
        except msgspec.MsgspecError as error:
            return web.Response(status=400, text=str(error))
        for name in named:
            setattr(self._faults, name, getattr(wanted, name))
        self._clock.skew_ns = self._faults.skew_ms * MS
        return _json(self._faults)

    async def clear_faults(self, request: web.Request) -> web.Response:
        for name, value in msgspec.structs.asdict(Faults()).items():
            setattr(self._faults, name, value)
        self._clock.skew_ns = 0
        return _json(self._faults)

    async def drop(self, request: web.Request) -> web.Response:
        """Cut every socket now."""
        return _json({"dropped": self._drop_all()})

    async def journal(self, request: web.Request) -> web.Response:
        """Every order and fill of every account (or of `key`), and both of its books."""
        key = request.query.get("key")
        return _json({name: _ledger(account) for name, account in self._accounts.items() if key in (None, name)})


def _ledger(account: Account) -> dict[str, object]:
    return {
        "orders": [{**objects.order(order), "reason": order.reason} for order in account.orders.values()],
        "fills": [
            {**objects.trade(trade), "clientId": trade.order.client_id, "atNs": trade.at_ns} for trade in account.trades
        ],
        "working": len(account.working),
        "positions": {symbol: money.text(held.qty) for symbol, held in account.books.positions.items()},
        "wallet": money.text(account.books.wallet()),
        "fees": money.text(account.books.fees),
        "funding": money.text(account.books.funding),
        "broker_wallet": money.text(account.broker_ledger.wallet()),
    }


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
