"""A desk that moves: an engine thread without an engine, for measuring the console and for looking at it.

Ten symbols get ten updates a second each; every tenth of a second a whole new view is published, as the real desk
does. A probe wakes every 20 ms and keeps how late it was.
"""

import asyncio
import threading
import time
from concurrent.futures import Future
from typing import Any, Final

import msgspec

from engine.core.draw import below, between
from engine.core.events import Act, FeedHealth, SessionPhase
from engine.core.money import SCALE, div, mul, parse
from engine.core.view import (
    BlockView,
    BreakerView,
    CommandReceipt,
    DeskView,
    FeedView,
    HeartbeatView,
    NoteView,
    OrderView,
    PositionView,
    SignalView,
)
from engine.core.words import TERMINAL_STATE, ReasonCode, Side, TerminalState
from engine.session.ports import CommandRequest

SYMBOLS: Final = ("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "LINK", "DOT", "LTC", "AVAX")
PRICES: Final = ("61204.5", "3011.2", "148.31", "0.5121", "0.1204", "0.3912", "13.41", "5.91", "82.1", "27.3")
PROBE_SECONDS: Final = 0.02
SECOND: Final = 1_000_000_000
VERDICTS: Final = (
    (ReasonCode.FILLED, "filled whole as maker"),
    (ReasonCode.HEAT, "heat would be 1.08 %, limit 1.00 %"),
    (ReasonCode.CORRELATION, "0.91 with BTCUSDT, limit 0.80"),
    (ReasonCode.CANCELLED_UNFILLED, "not filled within 30 s"),
    (ReasonCode.MAX_POSITIONS, "5 positions open, limit 5"),
)


class MovingDesk:
    """A `Desk` on its own thread. `woke_ns` and `late_ns` hold when each probe woke and how late,
    `handled_ns` when each command came in."""

    def __init__(self, duration_ns: int = 0, *, still: bool = False) -> None:
        self.woke_ns: list[int] = []
        self.late_ns: list[int] = []
        self.handled_ns: list[int] = []
        self._still = still
        self._duration_ns = duration_ns
        self._started_ns = time.monotonic_ns()
        self._wall_ns = time.time_ns()
        self._prices = [parse(price) for price in PRICES]
        self._entries = list(self._prices)
        self._updates = 0
        self._paused = self._killed = self._over = False
        self._signals: list[SignalView] = []
        self._notes: list[NoteView] = []
        self._equity: list[int] = []
        self._counts = {state.value: 0 for state in TerminalState}
        self._view: DeskView | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def view(self) -> DeskView | None:
        return self._view

    def ended(self) -> bool:
        return self._over

    def stop(self, reason: str, *, keep_positions: bool = False) -> None:
        self._over = True

    def command(self, request: CommandRequest) -> Future[CommandReceipt]:
        self.handled_ns.append(time.monotonic_ns())
        answer: Future[CommandReceipt] = Future()
        # A text of one letter: the measuring side can look for it however the screen sends its differences.
        letter = chr(ord("A") + len(self.handled_ns) % 26)
        if request.act is Act.KILL:
            self._killed = True
        self._paused = request.act is Act.PAUSE if request.act in (Act.PAUSE, Act.RESUME) else self._paused
        answer.set_result(CommandReceipt(True, letter * 24, took_us=400))
        return answer

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        turn = 0
        while not self._over:
            due += PROBE_SECONDS
            await asyncio.sleep(max(due - loop.time(), 0))
            self.woke_ns.append(time.monotonic_ns())
            self.late_ns.append(int(max(loop.time() - due, 0) * SECOND))
            due = max(due, loop.time() - 1)
            turn += 1
            if turn % 5 == 0 and not (self._still and self._view is not None):
                self._update()

    def _update(self) -> None:
        """One tenth of a second of market: every symbol moves once."""
        self._updates += 1
        now = self._wall_ns + time.monotonic_ns() - self._started_ns
        for at, price in enumerate(self._prices):
            step = between(-40, 40, 7, "step", self._updates, at)
            self._prices[at] = price + price * step // 100_000
        if self._updates % 12 == 1:
            self._decide(now)
        if self._updates % 20 == 1:
            self._equity = [*self._equity, parse("10000") + self._unrealized()][-120:]
        self._view = self._whole(now)

    def _decide(self, now: int) -> None:
        code, text = VERDICTS[below(len(VERDICTS), 7, "verdict", self._updates)]
        symbol = SYMBOLS[below(10, 7, "symbol", self._updates)] + "USDT"
        side = Side.LONG if below(2, 7, "side", self._updates) else Side.SHORT
        state = TERMINAL_STATE[code]
        self._counts[state.value] += 1
        signal = SignalView(f"s{self._updates}", now, "trend-fast", symbol, side, state, code, text)
        self._signals = [signal, *self._signals][:30]
        note = NoteView(self._updates, now, "info", "signal", f"{symbol} {side.value} ended as {state.value}: {text}")
        self._notes = [note, *self._notes][:50]

    def _unrealized(self) -> int:
        return sum(mul(self._prices[at] - self._entries[at], self._qty(at)) for at in range(5))

    def _qty(self, at: int) -> int:
        return div(parse("380"), self._entries[at]) * (1 if at % 2 == 0 else -1)

    def _position(self, at: int, now: int) -> PositionView:
        side = Side.LONG if self._qty(at) > 0 else Side.SHORT
        stop = self._entries[at] - side.sign * self._entries[at] // 60
        risk = abs(mul(self._prices[at] - stop, self._qty(at)))
        return PositionView(
            symbol=SYMBOLS[at] + "USDT",
            side=side,
            qty=self._qty(at),
            entry=self._entries[at],
            mark=self._prices[at],
            unrealized=mul(self._prices[at] - self._entries[at], self._qty(at)),
            stop=stop,
            target=self._entries[at] + side.sign * self._entries[at] // 30,
            heat=div(risk, parse("10000")),
            opened_ns=self._wall_ns,
            strategy_id="trend-fast",
        )

    def _breakers(self) -> tuple[BreakerView, ...]:
        loss = max(-self._unrealized(), 0)
        fall = div(loss, parse("10000"))
        return (
            BreakerView("consecutive_losses", "losses in a row", 2, 5, "count", parse("0.4"), False, "halt_day", ""),
            BreakerView("daily_loss", "daily loss", loss, 50 * SCALE, "money", loss // 50, False, "halt_day", ""),
            BreakerView("daily_drawdown", "day drawdown", fall, parse("0.05"), "fraction", fall * 20, False, "", ""),
            BreakerView("total_drawdown", "total drawdown", fall, parse("0.1"), "fraction", fall * 10, False, "", ""),
            BreakerView("errors", "errors", 0, 20, "count", 0, False, "shutdown", ""),
        )

    def _blocks(self, now: int) -> tuple[BlockView, ...]:
        blocks = [BlockView("operator", "paused by the operator", "resume (r)", now)] if self._paused else []
        if self._killed:
            blocks.append(BlockView("kill", "killed from the console", "nightdesk rearm", now))
        return tuple(blocks)

    def _pulse(self, now: int) -> HeartbeatView:
        late = sorted(self.late_ns[-500:])
        return HeartbeatView(
            count=(now - self._wall_ns) // SECOND,
            last_ns=now,
            max_gap_ns=SECOND,
            loop_lag_p99_us=late[len(late) * 99 // 100] // 1000,
            loop_lag_max_us=late[-1] // 1000,
            commit_p99_us=2_100 + self._updates % 7 * 100,
            decision_p99_us=80 + self._updates % 9,
            queue_depth=self._updates % 4,
            rss_bytes=84_000_000,
        )

    def _whole(self, now: int) -> DeskView:
        unrealized = self._unrealized()
        positions = tuple(self._position(at, now) for at in range(5))
        ended = sum(self._counts.values())
        values: dict[str, Any] = {
            "env": "paper",
            "run_id": "20261121-071500-a1",
            "phase": SessionPhase.COMPLETED if self._still else SessionPhase.RUNNING,
            "at_ns": now,
            "started_ns": self._wall_ns,
            "duration_ns": self._duration_ns,
            "elapsed_ns": now - self._wall_ns,
            "venue": "sim",
            "broker": "paper",
            "source": "generated",
            "clock": "wall",
            "seed": 42,
            "pid": 4711,
            "phase_text": "",
            "starting_equity": parse("10000"),
            "equity": parse("10000") + unrealized,
            "cash": parse("9000"),
            "unrealized": unrealized,
            "realized": 0,
            "fees": parse("3.81"),
            "funding": 0,
            "day_pnl": unrealized,
            "drawdown": 0,
            "exposure": parse("1900"),
            "heat": sum(position.heat for position in positions),
            "heat_limit": parse("0.01"),
            "positions": positions,
            "orders": (
                OrderView("a1-7-1", "BTCUSDT", "STOP", "ACCEPTED", -self._qty(0), 0, PRICE_STOP, self._wall_ns),
            ),
            "signals": dict(self._counts),
            "signals_total": ended,
            "signals_in_flight": 0,
            "recent_signals": tuple(self._signals),
            "breakers": self._breakers(),
            "blocks": self._blocks(now),
            "kill_latched": self._killed,
            "feeds": tuple(FeedView(f"{name}USDT", FeedHealth.LIVE, now, 0, 0) for name in SYMBOLS),
            "notes": tuple(self._notes),
            "equity_curve": tuple(self._equity),
            "heartbeat": self._pulse(now),
            "trades": ended,
            "wins": self._counts[TerminalState.EXECUTED.value],
            "market_events": self._updates * 10,
            "journal_rows": self._updates * 11,
            "journal_head": f"{self._updates:08x}",
            "positions_max": 5,
        }
        return msgspec.convert(values, DeskView, from_attributes=True)


PRICE_STOP: Final = parse("60310")
