"""How fast a desk is stopped: its gate, also while its loop is busy or frozen, and its orders at a venue.

`python -m benchmarks.killing` runs it alone. Kills come from another process over the control socket; a frozen loop is
killed by the file, which the guard's thread sees; orders work at the built-in venue, in a process of its own, and when
they were cancelled is what that venue says.
"""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from benchmarks.decision import RATE, end, play, shell_at
from benchmarks.figures import Figure, percentile
from benchmarks.rig import LOOSE, ROOT, SYMBOLS, PacedFeed, in_fresh_process, on_loop, place
from engine.core import money
from engine.core.config import MINUTE, SECOND, Limits
from engine.core.events import Act, Bar, Quote
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.view import CommandReceipt, DeskView
from engine.core.words import Side
from engine.session import remote
from engine.session.clock import ScaledClock, WallClock
from engine.session.control import ControlServer
from engine.session.gate import Gate
from engine.session.guard import Guard
from engine.session.home import kill_requested, write_kill_file
from engine.session.ports import CommandRequest
from engine.session.session import Session
from engine.session.shell import Shell
from engine.venues.bitunix.broker import BitunixBroker
from engine.venues.bitunix.feed import BitunixFeed, FeedSettings
from engine.venues.bitunix.signing import Credentials
from engine.venues.sim.options import SIM_KEY, SIM_SECRET, VenueOptions
from engine.venues.sim.process import start_venue

KILLS: Final = 200
KILL_GAP_SECONDS: Final = 0.05
BURN_SECONDS: Final = 0.05  # the loop is busy for 90 % of each such slice, in one piece: no step of the desk is as long
FREEZES: Final = 50
FROZEN_SECONDS: Final = 0.6
AT_MOST: Final = 5, 5  # orders, symbols: as many as the limits ever let work at a venue
FIFTY: Final = 50, 5  # ten times as many, as only a bench's limits do
ASK_AGAIN_NS: Final = SECOND // 2
FOREVER_NS: Final = 1 << 62
READY_SECONDS: Final = 120
CANCELS_SECONDS: Final = 30
MS: Final = 1_000_000


# --- the gate, by the control socket ---


class ShellDesk:
    """A shell as the control socket has it. A kill is followed by a rearm, so that there can be another.

    Attributes:
        closed_ns: When the gate had closed, for each kill (monotonic).
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.closed_ns: list[int] = []

    def view(self) -> DeskView | None:
        return self._shell.view()

    def command(self, request: CommandRequest) -> Future[CommandReceipt]:
        gate = self._shell.gate
        assert not gate.closed, "the gate is closed before the kill"
        receipt = self._shell.command(request)
        self.closed_ns.append(self._shell.clock.mono_ns())
        rearm = CommandRequest(Act.REARM, "bench", "bench", "for the next kill")
        receipt.add_done_callback(lambda _: self._shell.command(rearm))
        return receipt

    def stop(self, reason: str, *, keep_positions: bool = False) -> None:
        """It is stopped by whoever measures it."""

    def ended(self) -> bool:
        return False


async def _killed(*, market: bool, burn: float) -> dict[str, float]:
    """Two hundred kills of a shell with its store; `burn` is the share of its time the loop is busy beside them."""
    with place() as opened:
        feed = PacedFeed(RATE, KILLS * 0.3)
        shell, _ = await shell_at(feed, opened)
        tasks = [asyncio.create_task(shell.pump()), asyncio.create_task(_burn(burn))]
        tasks += [asyncio.create_task(play(feed, shell))] if market else []
        desk = ShellDesk(shell)
        server = ControlServer(opened.home, desk)
        await server.start()
        command = [sys.executable, "-m", "benchmarks.killing", "killer", str(opened.home.socket)]
        killer = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        told, _none = await killer.communicate()
        await server.close()
        await end(shell, tasks)
    sent = msgspec.json.decode(told, type=list[tuple[int, int]])
    gate = [(closed - begun) / MS for (begun, _), closed in zip(sent, desk.closed_ns, strict=True)]
    receipt = [(answered - begun) / MS for begun, answered in sent]
    return {
        "gate p50": percentile(gate, 50),
        "gate p99": percentile(gate, 99),
        "gate max": max(gate),
        "receipt p99": percentile(receipt, 99),
    }


async def _burn(share: float) -> None:
    """Keep the loop busy in pieces, until cancelled."""
    while True:
        until = time.perf_counter() + BURN_SECONDS * share
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(BURN_SECONDS * (1 - share))


def killer(path: Path) -> list[tuple[int, int]]:
    """Kill the desk at `path` again and again from this process: when each kill was sent and when its receipt came."""
    sent = []
    for number in range(KILLS):
        time.sleep(KILL_GAP_SECONDS + number % 7 / 1000)
        begun_ns = time.monotonic_ns()
        remote.command(path, CommandRequest(Act.KILL, "bench", "bench", "bench"))
        sent.append((begun_ns, time.monotonic_ns()))
    return sent


# --- the gate, by the kill file, while the loop is frozen ---


def _frozen() -> dict[str, float]:
    """The kill file is written while the thread of the loop sleeps; its gate is closed by the guard's thread."""
    gate_ms = []
    for number in range(FREEZES):
        with place() as opened:
            gate, home = Gate(), opened.home
            gate.follow(False)
            closed_ns: list[int] = []
            guard = Guard(
                kill_requested=lambda home=home: kill_requested(home, {}),  # type: ignore[misc]
                on_kill=lambda _, gate=gate, closed_ns=closed_ns: _slam(gate, closed_ns),  # type: ignore[misc]
                on_pause=lambda _: None,
                stacks=sys.stderr,
                last_words=lambda _: None,
            )
            guard.start()
            begun_ns: list[int] = []

            def write(home: Any = home, begun_ns: list[int] = begun_ns) -> None:
                begun_ns.append(time.monotonic_ns())
                write_kill_file(home, "bench")

            writer = threading.Timer(0.05 + number % 25 / 100, write)
            writer.start()
            time.sleep(FROZEN_SECONDS)  # the loop, as far as the guard can tell
            guard.stop()
            writer.join()
            assert gate.closed
            gate_ms.append((closed_ns[0] - begun_ns[0]) / MS)
    return {"p50": percentile(gate_ms, 50), "max": max(gate_ms)}


def _slam(gate: Gate, closed_ns: list[int]) -> None:
    gate.slam()
    closed_ns.append(time.monotonic_ns())


# --- orders at a venue ---


class Nothing(msgspec.Struct):
    """A strategy without memory still has a state to put into a snapshot."""


class Patient:
    """Asks for one more entry far below the market in each symbol, again and again; the limits say when to stop."""

    strategy_id = "patient"
    span_ns = MINUTE
    history = 60
    wants_quotes = True

    def __init__(self, symbols: int) -> None:
        self.symbols = SYMBOLS[:symbols]
        self.state: msgspec.Struct = Nothing()
        self._again_ns = dict.fromkeys(self.symbols, 0)

    def on_bar(self, bar: Bar, market: Market) -> Sequence[Proposal | ExitWish]:
        return ()

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        if quote.at_ns < self._again_ns.get(quote.symbol, FOREVER_NS):
            return ()
        self._again_ns[quote.symbol] = quote.at_ns + ASK_AGAIN_NS
        tick = market.tick(quote.symbol)
        entry = (quote.bid - quote.bid // 50) // tick * tick
        away = money.ceil_to(entry // 100, tick)
        return (Proposal(quote.symbol, Side.LONG, entry, entry - away, entry + 2 * away, "rests"),)


def _limits(orders: int, symbols: int) -> Limits:
    """Without what bounds where orders lie: exactly so many in each symbol."""
    counts = {"positions_max": orders, "positions_per_symbol_max": orders // symbols}
    return msgspec.structs.replace(LOOSE, heat_max=money.SCALE, concentration_max=money.SCALE, **counts)


async def _working_at_venue(orders: int, symbols: int, *, mute: bool) -> dict[str, float]:
    """A desk with so many orders working is killed; `mute`: its venue is gone by then and confirms nothing."""
    venue = await start_venue(VenueOptions(), "engine.venues.sim")
    clock = ScaledClock(venue.clock.now_ns(), 1)
    feed = BitunixFeed(venue.rest_url, venue.ws_url, SYMBOLS, clock, FeedSettings())
    broker = BitunixBroker(venue.rest_url, venue.ws_url, Credentials(SIM_KEY, SIM_SECRET), clock)
    with place() as opened:
        plan = opened.plan(
            clock, feed, broker, limits=_limits(orders, symbols), make_strategies=lambda _: (Patient(symbols),)
        )
        session = Session(plan)
        running = asyncio.create_task(session.run())
        await _until(lambda: _accepted(session) == orders, READY_SECONDS)
        if mute:
            await venue.stop()
        began_ns, mono_ns = clock.now_ns(), WallClock().mono_ns()
        killed = session.command(CommandRequest(Act.KILL, "bench", "bench", "bench"))
        receipt = await asyncio.wrap_future(killed)
        told = {"receipt": (WallClock().mono_ns() - mono_ns) / MS, "pending": float(len(receipt.unconfirmed))}
        if not mute:
            times = await _cancelled_ns(venue.rest_url, orders)
            told |= {"first": (min(times) - began_ns) / MS, "last": (max(times) - began_ns) / MS}
        await asyncio.wait_for(running, READY_SECONDS)
        await venue.stop()
    return told


def _accepted(session: Session) -> int:
    view = session.view()
    return sum(order.state == "ACCEPTED" for order in view.orders) if view is not None else 0


async def _until(true: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _cancelled_ns(rest_url: str, count: int) -> list[int]:
    """When the venue cancelled each of the orders."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(CANCELS_SECONDS):
        while True:
            async with http.get(f"{rest_url}/sim/journal") as answer:
                orders = (await answer.json())[SIM_KEY]["orders"]
            if sum(order["status"] == "CANCELED" for order in orders) >= count:
                return [int(order["mtime"]) * MS for order in orders if order["status"] == "CANCELED"]
            await asyncio.sleep(0.1)


# --- figures ---


def run() -> list[Figure]:
    """About two minutes."""
    told = {name: in_fresh_process("benchmarks.killing", name) for name in PARTS}
    idle, busy, burnt, frozen = (told[name] for name in ("idle", "busy", "burnt", "frozen"))
    figures = [
        Figure("kill to gate closed p99, idle", idle["gate p99"], "ms", "at most", 50),
        Figure(f"kill to gate closed p50, {RATE} messages/s", busy["gate p50"], "ms"),
        Figure(f"kill to gate closed p99, {RATE} messages/s", busy["gate p99"], "ms", "at most", 50),
        Figure("kill to receipt p99", busy["receipt p99"], "ms"),
        Figure("kill to gate closed p99, loop 90 % busy beside them", burnt["gate p99"], "ms", "at most", 100),
        Figure("the longest", burnt["gate max"], "ms", "at most", 250),
        Figure("kill file to gate closed, frozen loop, median", frozen["p50"], "ms"),
        Figure("kill file to gate closed, frozen loop, longest", frozen["max"], "ms", "at most", 250),
    ]
    five, fifty, silent = told["five"], told["fifty"], told["mute"]
    return [
        *figures,
        Figure(f"kill to the first of {AT_MOST[0]} cancels at the venue", five["first"], "ms", "at most", 100),
        Figure(f"kill to the last of {AT_MOST[0]} cancels at the venue", five["last"], "ms", "at most", 1_000),
        Figure(f"kill to the last of {FIFTY[0]} cancels at the venue", fifty["last"], "ms", "at most", 1_000),
        Figure("kill to a list of what is not confirmed, venue gone", silent["receipt"], "ms", "at most", 5_000),
        Figure("orders on that list", silent["pending"], "orders", "at least", AT_MOST[0]),
    ]


PARTS: Final[dict[str, Callable[[], dict[str, float]]]] = {
    "idle": lambda: on_loop(_killed(market=False, burn=0.0)),
    "busy": lambda: on_loop(_killed(market=True, burn=0.0)),
    "burnt": lambda: on_loop(_killed(market=True, burn=0.9)),
    "frozen": _frozen,
    "five": lambda: on_loop(_working_at_venue(*AT_MOST, mute=False)),
    "fifty": lambda: on_loop(_working_at_venue(*FIFTY, mute=False)),
    "mute": lambda: on_loop(_working_at_venue(*AT_MOST, mute=True)),
}


def main(words: Sequence[str]) -> int:
    logging.basicConfig(level=logging.CRITICAL)  # two hundred kills are told in none
    if words[:1] == ["killer"]:
        print(msgspec.json.encode(killer(Path(words[1]))).decode())
        return 0
    if words:
        print(msgspec.json.encode(PARTS[words[0]]()).decode())
        return 0
    figures = run()
    for figure in figures:
        print(figure.line())
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
