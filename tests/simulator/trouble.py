"""The faults of a seed: which kinds it has, how often they come, and what each does to the world."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from engine.core import money
from engine.core.events import Act
from engine.core.words import OrderKind, TimeInForce
from engine.venues.sim.accounts import Ask
from engine.venues.sim.faults import Faults
from engine.venues.sim.wire import Refusal
from tests.simulator.network import Pipe
from tests.simulator.world import World

AT_A_TIME = 3
Fault = Callable[["Trouble"], Coroutine[Any, Any, None]]
KINDS: dict[str, Fault] = {}


def fault(function: Fault) -> Fault:
    """Enter a fault in the table under its own name."""
    KINDS[function.__name__] = function
    return function


class Trouble:
    """Draws the faults of one seed and lets them happen, until it is told to stop.

    Attributes:
        used: How often each kind happened.
        log: What happened when, for whoever reads a failure.
    """

    def __init__(self, world: World, kinds: tuple[str, ...] = ()) -> None:
        self.world = world
        self.dice = dice = random.Random(f"trouble {world.seed}")
        table = kinds or tuple(KINDS)
        some = [kind for kind in table if dice.random() < 0.4]
        self.kinds = some or [dice.choice(table)]
        self.mean_s = dice.choice((4.0, 10.0, 25.0))
        self.used: Counter[str] = Counter()
        self.log: list[str] = []
        self._running: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Let faults happen, several at a time, until cancelled."""
        while True:
            await asyncio.sleep(self.dice.expovariate(1 / self.mean_s))
            for task in self._running:
                if task.done():
                    task.result()
            self._running = [task for task in self._running if not task.done()]
            if len(self._running) == AT_A_TIME:
                continue
            kind = self.dice.choice(self.kinds)
            self.used[kind] += 1
            self.note(kind)
            self._running.append(asyncio.create_task(KINDS[kind](self), name=kind))

    def note(self, text: str) -> None:
        self.log.append(f"{self.world.loop.now:10.3f} {text}")

    def heal(self) -> None:
        """Nothing is wrong with the outside any more. Raises what a fault raised."""
        world = self.world
        for task in self._running:
            if task.done():
                task.result()
            task.cancel()
        world.line.heal()
        for name, calm in msgspec.structs.asdict(Faults()).items():
            setattr(world.venue.faults, name, calm)
        world.venue.clock.skew_ns = 0
        world.skew_ns = 0
        world.record_lines = None
        if not world.desk.is_over:
            _journal(self).heal()

    async def for_some(self, low_s: float, high_s: float) -> None:
        await asyncio.sleep(self.dice.uniform(low_s, high_s))

    def pipe(self) -> Pipe | None:
        pipes = list(self.world.line.pipes)
        return self.dice.choice(pipes) if pipes else None


# --- the line ---


@fault
async def reset_one(t: Trouble) -> None:
    """FN-02."""
    pipe = t.pipe()
    if pipe is not None:
        t.world.line.reset(pipe)


@fault
async def reset_all(t: Trouble) -> None:
    t.world.line.reset_all()


@fault
async def slow_line(t: Trouble) -> None:
    """FN-05."""
    t.world.line.tail = t.dice.choice((20, 100, 300))
    await t.for_some(2, 30)
    t.world.line.tail = 0


@fault
async def cut(t: Trouble) -> None:
    line = t.world.line
    line.up = line.down = False
    await t.for_some(1, 45)
    line.heal()


@fault
async def cut_up(t: Trouble) -> None:
    """FN-10."""
    t.world.line.up = False
    await t.for_some(1, 40)
    t.world.line.heal()


@fault
async def cut_down(t: Trouble) -> None:
    """FN-10."""
    t.world.line.down = False
    await t.for_some(1, 40)
    t.world.line.heal()


@fault
async def venue_gone(t: Trouble) -> None:
    """The venue is away and comes back with its books: connections end, and nobody answers the door."""
    t.world.line.admits = False
    t.world.line.reset_all()
    await t.for_some(1, 60)
    t.world.line.heal()


@fault
async def flapping(t: Trouble) -> None:
    """FN-11."""
    for _ in range(t.dice.randrange(3, 10)):
        t.world.line.reset_all()
        await asyncio.sleep(3)


@fault
async def clogged(t: Trouble) -> None:
    """FN-16: The connections stop one by one, and go on in another order."""
    pipes = list(t.world.line.pipes)
    t.dice.shuffle(pipes)
    for pipe in pipes:
        pipe.is_clogged = True
        await t.for_some(0.1, 8)
    t.dice.shuffle(pipes)
    for pipe in pipes:
        t.world.line.unclog(pipe)
        await t.for_some(0.1, 8)


# --- the venue ---


@fault
async def mute(t: Trouble) -> None:
    """FN-04."""
    t.world.venue.faults.mute = True
    await t.for_some(2, 60)
    t.world.venue.faults.mute = False


@fault
async def mute_but_pong(t: Trouble) -> None:
    """FV-01, FA-03."""
    t.world.venue.faults.mute_but_pong = True
    await t.for_some(5, 60)
    t.world.venue.faults.mute_but_pong = False


@fault
async def request_lost(t: Trouble) -> None:
    """FN-02."""
    t.world.venue.faults.request_lost += t.dice.randrange(1, 3)


@fault
async def reply_lost(t: Trouble) -> None:
    """FN-03."""
    t.world.venue.faults.reply_lost += t.dice.randrange(1, 3)


@fault
async def cancel_reply_lost(t: Trouble) -> None:
    t.world.venue.faults.cancel_reply_lost += 1


@fault
async def rejects(t: Trouble) -> None:
    """FV-13."""
    t.world.venue.faults.reject_code = t.dice.choice((20003, 30013, 30014, 10002))
    t.world.venue.faults.reject_next += t.dice.choice((1, 2, 8))


@fault
async def rate_limited(t: Trouble) -> None:
    """FN-13."""
    t.world.venue.faults.limit_next += t.dice.randrange(1, 6)


@fault
async def server_errors(t: Trouble) -> None:
    """FN-14."""
    t.world.venue.faults.error_500_next += t.dice.randrange(1, 6)


@fault
async def slow_answers(t: Trouble) -> None:
    """FN-05."""
    t.world.venue.faults.delay_ms = t.dice.choice((300, 2_000, 9_000, 15_000))
    await t.for_some(3, 30)
    t.world.venue.faults.delay_ms = 0


@fault
async def duplicate_pushes(t: Trouble) -> None:
    """FN-06, FV-04."""
    t.world.venue.faults.duplicate_push = True
    await t.for_some(5, 40)
    t.world.venue.faults.duplicate_push = False


@fault
async def garbled_frames(t: Trouble) -> None:
    t.world.venue.faults.garble_next += t.dice.randrange(1, 5)


@fault
async def venue_clock_off(t: Trouble) -> None:
    """FV-12."""
    t.world.venue.clock.skew_ns = t.dice.choice((-4, -1, 1, 4)) * 1_000_000_000
    await t.for_some(5, 60)
    t.world.venue.clock.skew_ns = 0


@fault
async def traded_by_hand(t: Trouble) -> None:
    """FV-08, FO-15: Somebody uses the account beside the desk: closes a position, or leaves an order there."""
    if not t.world.wire:
        return
    account, symbol = t.world.account, t.dice.choice(t.world.symbols)
    held = account.books.qty(symbol)
    ask = Ask(symbol, -held, 0, OrderKind.MARKET, TimeInForce.IOC, True, "")
    if not held:
        instrument = account.instruments[symbol]
        price = account._mark(symbol) * 97 // 100 // instrument.tick * instrument.tick
        qty = -(-10 * money.SCALE * money.SCALE // price // instrument.lot) * instrument.lot
        ask = Ask(symbol, qty, price, OrderKind.LIMIT, TimeInForce.GTC, False, "")
    with contextlib.suppress(Refusal):
        account.place(ask, t.world.venue.clock.now_ns())


# --- the disk ---


def _journal(t: Trouble) -> Any:
    return t.world.desk.store.journal


@fault
async def slow_disk(t: Trouble) -> None:
    """FD-18."""
    journal = _journal(t)
    journal.late_s = t.dice.choice((0.05, 0.5, 2.0))
    await t.for_some(1, 20)
    journal.late_s = 0.0


@fault
async def disk_full(t: Trouble) -> None:
    """FD-06."""
    if not t.world.desk.is_over:
        _journal(t).fill_up()


@fault
async def disk_full_at_order(t: Trouble) -> None:
    """Just what an order rests on cannot be recorded."""
    if not t.world.desk.is_over:
        _journal(t).full_at_order = True


@fault
async def disk_and_record_full(t: Trouble) -> None:
    """Not even the ballast's room is there: the emergency record takes some lines or none."""
    if not t.world.desk.is_over:
        t.world.record_lines = t.dice.randrange(0, 12)
        _journal(t).fill_up()
        await t.for_some(1, 20)
        t.world.record_lines = None


@fault
async def commit_told_wrong(t: Trouble) -> None:
    """FD-05: A commit is durable and its caller is told that it failed."""
    if not t.world.desk.is_over:
        _journal(t).tells_wrong = True


@fault
async def killed_in_emergency(t: Trouble) -> None:
    """FP-01: The disk is full, and while the desk is on its way out it dies."""
    desk = t.world.desk
    if desk.is_over:
        return
    _journal(t).fill_up()
    for _ in range(40):
        await asyncio.sleep(0.05)
        shell = desk.session._shell
        if shell is not None and shell.emergency.is_on:
            break
    await t.for_some(0, 2)
    if not desk.is_over and desk is t.world.desk:
        t.world.kill_desk()


@fault
async def killed_at_commit(t: Trouble) -> None:
    """FD-01."""
    journal = _journal(t)
    journal.dies_after = t.dice.random() < 0.5
    journal.dies = t.world.kill_desk


# --- the process ---


@fault
async def killed(t: Trouble) -> None:
    """FP-01."""
    if not t.world.desk.is_over:
        t.world.kill_desk()


@fault
async def killed_in_recovery(t: Trouble) -> None:
    """FP-01, FP-27."""
    for _ in range(t.dice.randrange(1, 4)):
        if not t.world.desk.is_over:
            t.world.kill_desk()
        await asyncio.sleep(1.0 + t.dice.random() * 3)


@fault
async def restarted(t: Trouble) -> None:
    """FP-28."""
    if not t.world.desk.is_over:
        t.world.desk.session.stop("SIGTERM", keep_positions=t.dice.random() < 0.5)


@fault
async def stalled(t: Trouble) -> None:
    """FT-05, FT-11: The whole machine stands still, as when it is suspended."""
    t.world.loop.now += t.dice.choice((0.3, 2.0, 4.0, 30.0))


@fault
async def clock_steps(t: Trouble) -> None:
    """FT-01: The machine's wall clock is set, by a little or by an hour, and perhaps set right again."""
    t.world.skew_ns += t.dice.choice((-3_600, -60, -2, 2, 60, 3_600)) * 1_000_000_000
    await t.for_some(5, 60)
    if t.dice.random() < 0.7:
        t.world.skew_ns = 0


# --- the operator ---


@fault
async def pause(t: Trouble) -> None:
    """FO-05."""
    t.world.command(Act.PAUSE)
    await t.for_some(0.1, 20)
    t.world.command(Act.RESUME)


@fault
async def kill(t: Trouble) -> None:
    """FO-01, FO-02."""
    for _ in range(t.dice.randrange(1, 4)):
        t.world.command(Act.KILL, "the seed says so")
    await t.for_some(5, 20)
    t.world.command(Act.REARM, "the seed says so")


@fault
async def flatten(t: Trouble) -> None:
    """FO-06."""
    t.world.command(Act.FLATTEN)
    await t.for_some(0.1, 20)
    t.world.command(Act.RESUME)


@fault
async def cancel_all(t: Trouble) -> None:
    """FV-22."""
    t.world.command(Act.CANCEL_ALL)
