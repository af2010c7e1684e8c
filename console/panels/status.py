"""The first lines of every page: whose money, is it running, what is it worth, and why it is not trading."""

from collections.abc import Sequence
from typing import Final

from console.panels.replay import replay_lines
from console.text import (
    OVER,
    SECOND,
    ZONE,
    Line,
    Seen,
    Span,
    Tone,
    amount,
    bar,
    both_ends,
    clock,
    percent,
    said,
    signed,
    timer,
    toned,
    width_of,
    wrap,
)
from engine.core import money
from engine.core.clean import clean
from engine.core.events import SessionPhase
from engine.core.times import stretch
from engine.core.view import BlockView, DeskView
from engine.core.words import BlockReason

WHY = "Why is it not trading?"
WHY_LINES_MAX = 3


def head_lines(seen: Seen, width: int) -> list[Line]:
    """What every page begins with."""
    replay = seen.view.replay
    if replay is not None:
        return [status_line(seen, width), *replay_lines(seen.view, replay, width), *why_lines(seen, width)]
    return [status_line(seen, width), progress_line(seen, width), *why_lines(seen, width)]


def state(seen: Seen) -> Span:
    """The run state in words, with a sign: what the operator looks at first."""
    view = seen.view
    if seen.is_stale:
        return Span(f"x {'NO DESK' if seen.away else 'STALE'} {stretch(seen.silent_ns)}", Tone.ALARM)
    match view.phase:
        case SessionPhase.INITIALIZING:
            return Span("~ STARTING…", Tone.WARN)
        case SessionPhase.SEEDING_HISTORY:
            return Span("~ SEEDING…", Tone.WARN)
        case SessionPhase.FATAL_ERROR | SessionPhase.CONFIG_VALIDATION_FAILED | SessionPhase.ALREADY_RUNNING:
            return Span("x FAILED", Tone.ALARM)
        case SessionPhase.SHUTTING_DOWN:
            return Span("! KILLED, SHUTTING DOWN" if view.kill_latched else "! SHUTTING DOWN", Tone.WARN)
        case SessionPhase.COMPLETED:
            return Span("x KILLED, ENDED", Tone.ALARM) if view.kill_latched else Span("ok ENDED", Tone.GOOD)
        case SessionPhase.RUNNING:
            return _running(view)


def _running(view: DeskView) -> Span:
    if view.kill_latched:
        return Span("x KILLED", Tone.ALARM)
    reasons = {block.reason for block in view.blocks}
    if BlockReason.BREAKER in reasons:
        return Span("x HALTED", Tone.ALARM)
    if reasons:
        return Span("! PAUSED", Tone.WARN)
    return Span("ok RUNNING", Tone.GOOD)


def env_badge(view: DeskView) -> Span:
    """PAPER or LIVE, from the stamp in the desk's own database; REPLAY where no desk is."""
    if view.replay is not None:
        return Span(" REPLAY ", Tone.REPLAY)
    if view.env == "paper":
        return Span(" PAPER ", Tone.PAPER)
    return Span(f" {said(view.env.upper(), 12)}: REAL MONEY ", Tone.LIVE)


def status_line(seen: Seen, width: int) -> Line:
    """Env, state, equity and day in one line; what fits the least important room is left out first."""
    view = seen.view
    of = (Span(f" of {said(view.env, 12)}", Tone.DIM),) if view.replay is not None else ()
    left: Line = (env_badge(view), *of, Span(" "), state(seen))
    day = Span(signed(view.day_pnl), toned(view.day_pnl))
    share = money.div(view.day_pnl, view.starting_equity) if view.starting_equity else 0
    richest: Line = (
        *(Span("equity ", Tone.DIM), Span(amount(view.equity), Tone.STRONG), Span("  day ", Tone.DIM), day),
        *(Span(f" ({percent(share)})", Tone.DIM), Span("  "), Span(f"{clock(view.at_ns)} {ZONE.name} ")),
    )
    plainer: Line = (
        *(Span("eq ", Tone.DIM), Span(amount(view.equity), Tone.STRONG), Span(" day ", Tone.DIM), day),
        Span(f" {_stamp(view.at_ns)} "),
    )
    poorest: Line = (Span(f"{_stamp(view.at_ns)} "),)
    right = next((line for line in (richest, plainer) if width_of(left) + 2 + width_of(line) <= width), poorest)
    return both_ends(left, right, width)


def _stamp(at_ns: int) -> str:
    """The time in few cells: 12:03:07Z, or with an L where it is this machine's own."""
    return f"{clock(at_ns)}{'L' if ZONE.is_local else 'Z'}"


def progress_line(seen: Seen, width: int) -> Line:
    """What runs, and how far it is: venue, broker, source and regime at the left, the duration at the right."""
    view = seen.view
    right = _duration(view, 10 if width < 120 else 24)
    doing = Span(f" {said(view.phase_text, 80)} " if view.phase_text else " ")
    where = " ".join(said(word, 20) for word in (view.venue, view.broker, view.source) if word)
    run = said(view.run_id, 24)
    regime = f"regime {view.regime.regime}"
    if view.regime.level:
        regime += f" {money.text(view.regime.level, 1)}"
    for named in (f"run {run}  {where}  {regime}", f"{where}  {regime}", where):
        left: Line = (doing, Span(named, Tone.DIM))
        if width_of(left) + 2 + width_of(right) <= width:
            return both_ends(left, right, width)
    return both_ends((doing,), right, width)


def _duration(view: DeskView, cells: int) -> Line:
    """How long it has run, of how long it is to run."""
    if not view.duration_ns:
        return (Span(f"up {timer(view.elapsed_ns)} ", Tone.DIM),)
    share = min(money.div(view.elapsed_ns, view.duration_ns), money.SCALE)
    times = Span(f"{timer(view.elapsed_ns)} of {_whole(view.duration_ns)} ", Tone.DIM)
    return (times, *bar(share, cells), Span(f" {share * 100 // money.SCALE:3d} % ", Tone.DIM))


_BY_PERSONS: Final = (BlockReason.KILL, BlockReason.OPERATOR)


def why_lines(seen: Seen, width: int) -> list[Line]:
    """Why no entry happens, naming every block and what lifts it; one quiet line when entries are open.

    Never more than `WHY_LINES_MAX` lines: whole sentences where they fit, else the names alone, all of them.
    """
    view = seen.view
    if seen.is_stale:
        kills = "; K still kills, by the kill file if need be" if seen.seat.acts else ""
        if seen.away:
            text = f"{WHY} unknown: {clean(seen.away, 120)}. Waiting for the desk; q leaves{kills}"
        else:
            text = f"{WHY} unknown: the desk has not reported for {stretch(seen.silent_ns)}{kills}"
        return _spread(text, width, Tone.ALARM)
    if view.phase in OVER:
        killed = next((f" {_sentence(b, seen.now_ns)}." for b in view.blocks if b.reason == BlockReason.KILL), "")
        latch = killed or " The kill is latched, nightdesk rearm lifts it." if view.kill_latched else ""
        waits = " Waiting for the next one;" if seen.away else ""
        text = f"{WHY} The session has ended; its report is written.{latch}{waits} q leaves."
        return _spread(text, width, Tone.WARN if view.phase is SessionPhase.COMPLETED else Tone.BAD)
    if not view.blocks:
        if view.kill_latched:
            return _spread(f"{WHY} killed; nightdesk rearm lifts it", width, Tone.BAD)
        return [(Span(" ok ", Tone.GOOD), Span("entries are open", Tone.DIM))]
    tone = Tone.BAD if view.kill_latched else Tone.WARN
    for tell in (_sentence, _short):
        lines = _spread(f"{WHY} " + ";  ".join(tell(block, seen.now_ns) for block in view.blocks), width, tone)
        if len(lines) <= WHY_LINES_MAX:
            return lines
    return _spread(f"{WHY} {_names(view.blocks)}", width, tone)[:WHY_LINES_MAX]


def _sentence(block: BlockView, now_ns: int) -> str:
    """What, since when if a person did it, and what lifts it."""
    text = said(block.text or _name(block), 120)
    if block.reason == BlockReason.KILL and "kill" not in text.lower():
        text = f"killed: {text}"
    since = f" at {clock(block.since_ns)}" if block.reason in _BY_PERSONS and block.since_ns else ""
    return f"{text}{since}, {_lifted(block, now_ns)}"


def _short(block: BlockView, now_ns: int) -> str:
    return f"{_name(block)}, {_lifted(block, now_ns)}"


def _names(blocks: Sequence[BlockView]) -> str:
    return ", ".join(dict.fromkeys(_name(block) for block in blocks))


def _name(block: BlockView) -> str:
    return said(block.reason, 24).replace("_", " ")


def _lifted(block: BlockView, now_ns: int) -> str:
    left = f", in {stretch(block.release_ns - now_ns)}" if block.release_ns > now_ns else ""
    return f"lifted by {clean(block.lifts, 80)}{left}" if block.lifts else "lifts by itself"


def _spread(text: str, width: int, tone: Tone) -> list[Line]:
    lines = wrap(text, width - 4)
    mark = "x" if tone in (Tone.BAD, Tone.ALARM) else "!"
    return [(Span(f" {mark} " if at == 0 else "   ", tone), Span(line, tone)) for at, line in enumerate(lines)]


def _whole(ns: int) -> str:
    """A set duration in its own terms: 72h, 10m, 90s."""
    seconds = ns // SECOND
    if seconds % 3600 == 0:
        return f"{seconds // 3600}h"
    return f"{seconds // 60}m" if seconds % 60 == 0 else f"{seconds}s"
