"""What the logs say, in words: the status line, the line of an event, the record of a fact, and the literal tokens.

The tokens are searched for by other programs and by the validation protocols; they never change.
"""

import logging
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from engine.core import money
from engine.core.clean import clean
from engine.core.facts import AnyFact, ErrorCounted, PhaseChanged
from engine.core.profiles import band
from engine.core.view import DeskView, NoteView, halts, refusals
from engine.core.words import TerminalState
from engine.session.notes import note

GRACEFUL_SHUTDOWN: Final = "GRACEFUL SHUTDOWN INITIATED"
BREAKER_TRIPPED: Final = "CIRCUIT BREAKER TRIPPED"
GAP_DETECTED: Final = "GAP_DETECTED"
ORDER_BOOK_STALE: Final = "ORDER_BOOK_STALE"
QUEUE_OVERFLOW: Final = "QUEUE_OVERFLOW"
LOOP_FROZEN: Final = "WATCHDOG_FATAL: Main loop frozen"
MEMORY_EXCEEDED: Final = "CRITICAL: Memory Limit Exceeded"
STATE_NOT_LOADED: Final = "Failed to load state"
TOKENS: Final = (
    *(GRACEFUL_SHUTDOWN, BREAKER_TRIPPED, GAP_DETECTED, ORDER_BOOK_STALE),
    *(QUEUE_OVERFLOW, LOOP_FROZEN, MEMORY_EXCEEDED, STATE_NOT_LOADED),
)

STATUS_LENGTH_MAX: Final = 200
_SECOND_NS: Final = 1_000_000_000


class LogLine(msgspec.Struct, frozen=True):
    """One record for the structured log: a `logging` level, and `meta` of plain JSON values."""

    level: int
    component: str
    message: str
    meta: dict[str, Any] = {}

    def write(self) -> None:
        """Give it to the log."""
        logging.getLogger(self.component).log(self.level, "%s", self.message, extra={"meta": self.meta})


def log_line(seq: int, fact: AnyFact) -> LogLine | None:
    """What the structured log says of a fact; None for facts that only the journal and the event stream tell.

    A breaker trip and a kill are warnings: the desk did what it should, and only errors count as errors. Errors and
    phases are left out because whoever brought them about has logged them.
    """
    told = None if isinstance(fact, ErrorCounted | PhaseChanged) else note(seq, fact)
    if told is None:
        return None
    level = logging.INFO if told.level == "info" else logging.WARNING
    meta = {"seq": seq, "at_ns": told.at_ns}
    symbol = getattr(fact, "symbol", "")
    return LogLine(level, told.kind, told.text, {**meta, "symbol": symbol} if symbol else meta)


def overflow_line(dropped: int, total: int) -> LogLine:
    """Ticks were conflated away since the last such line; `dropped` over all lines adds up to `total`."""
    return LogLine(
        logging.WARNING, "inbox", f"{QUEUE_OVERFLOW}: {dropped} ticks conflated", {"dropped": dropped, "total": total}
    )


def event_line(told: NoteView) -> str:
    """One event for people, as the session log shows it."""
    return f"{_clock(told.at_ns)} {told.level.upper():<7} {told.kind}: {clean(told.text)}"


def status_line(view: DeskView) -> str:
    """The desk on one line of at most 200 characters: what the headless run prints each second.

    Time of day, mode, state, elapsed of duration, equity and its change in the run, positions, heat of its limit,
    blocks, age of the last beat (on a wall clock only: others do not beat in step with it), whether the desk is
    unhealthy, age of the newest data,
    signals executed, in flight, and refused by reason code, the most frequent first. Reasons without room are counted
    as `other`; what still has no room is cut at the end.
    """
    blocks = [clean(block.reason, 20) for block in view.blocks]
    named = ",".join(blocks[:3]) + (f"+{len(blocks) - 3}" if len(blocks) > 3 else "")
    beat = f"beat {_age(view, view.heartbeat.last_ns)} " if view.clock == "wall" else ""
    beat += "UNHEALTHY " if view.heartbeat.unhealthy else ""
    head = (
        f"{_clock(view.at_ns)[11:]} {view.env.upper()} {view.phase.value} {_elapsed(view)} "
        f"| equity {money.text(view.equity, 2)} {_signed(view.equity - view.starting_equity)} "
        f"pos {len(view.positions)} heat {_percent(view.heat)}/{_percent(view.heat_limit)}% "
        f"{f'blocked {named}' if named else 'open'} "
        f"| {beat}feed {_age(view, _newest(view))} | "
    )
    room = STATUS_LENGTH_MAX - len(head)
    return f"{head}{_signals(view, room)}"[:STATUS_LENGTH_MAX].rstrip(" |")


def closing_lines(view: DeskView) -> list[str]:
    """The last words of a run: why it ended and what it made, and whatever still stops the desk, since when."""
    net = view.equity - view.starting_equity
    between = band(net, view.net_pnl_pessimistic, view.net_pnl_optimistic)
    edges = " to ".join(money.text(edge, 2) for edge in between or ())
    made = f"{money.text(net, 2)} ({edges} over execution profiles)" if between else money.text(net, 2)
    told = [f"{view.phase_text}: {view.trades} trades, net P&L {made}, equity {money.text(view.equity, 2)}"]
    told += [
        f"HALTED by {one.name}: {clean(one.text)} since {_clock(one.since_ns)}; lifted by {one.lifts}"
        for one in halts(view.breakers)
    ]
    if view.kill_latched:
        told.append("KILLED: the kill is latched, also over restarts; nightdesk rearm shows how to clear it")
    return told


def _signals(view: DeskView, room: int) -> str:
    """The signals in at most `room` characters, or as few as it takes to name none of the reasons."""
    executed, causes = view.signals.get(TerminalState.EXECUTED, 0), refusals(view.signal_reasons)
    refused = sum(view.signals.values()) - executed
    counted = [f"{executed} executed"] if executed else []
    counted += [f"{view.signals_in_flight} in flight"] if view.signals_in_flight else []
    told = ""
    for shown in range(len(causes), -1, -1):
        other = refused - sum(count for _, count in causes[:shown])
        parts = counted + [f"{count} {code}" for code, count in causes[:shown]]
        parts += [f"{other} {'other' if shown else 'refused'}"] if other else []
        told = f"{view.signals_total} signals" + (f": {', '.join(parts)}" if parts else "")
        if len(told) <= room:
            return told
    return told


def _clock(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // _SECOND_NS, UTC):%Y-%m-%d %H:%M:%S}Z"


def _elapsed(view: DeskView) -> str:
    return f"{_span(view.elapsed_ns)}/{_span(view.duration_ns)}" if view.duration_ns else _span(view.elapsed_ns)


def _span(ns: int) -> str:
    minutes, seconds = divmod(max(ns, 0) // _SECOND_NS, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


def _newest(view: DeskView) -> int:
    return max((feed.last_ns for feed in view.feeds), default=0)


def _age(view: DeskView, at_ns: int) -> str:
    if not at_ns:
        return "never"
    tenths = max(view.at_ns - at_ns, 0) * 10 // _SECOND_NS
    return f"{tenths // 10}.{tenths % 10}s" if tenths < 1_000 else f"{tenths // 10}s"


def _signed(value: int) -> str:
    text = money.text(value, 2)
    return text if text.startswith("-") else f"+{text}"


def _percent(fraction: int) -> str:
    return money.text(fraction * 100, 2)
