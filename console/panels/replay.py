"""Where the replay of a recorded run stands: below the status line of every page, in place of the desk's progress."""

from console.text import Line, Span, Tone, bar, both_ends, date, said, width_of, wrap
from engine.core import money
from engine.core.view import DeskView, ReplayView

TEXT_LINES_MAX = 2


def replay_lines(view: DeskView, replay: ReplayView, width: int) -> list[Line]:
    """How it moves, when and where; then what stands there, and whether it is another story than the recorded one."""
    lines = [_position(view, replay, width)]
    if replay.text:
        lines.extend(_told(replay.text, "~", Tone.WARN, Tone.PLAIN, width)[:TEXT_LINES_MAX])
    if replay.differs:
        told = (
            f"This program decides otherwise than the record from event {replay.differs:,} on: what is shown behind it "
            "is not what happened."
        )
        lines.extend(_told(told, "x", Tone.ALARM, Tone.BAD, width))
    return lines


def _told(text: str, mark: str, mark_tone: Tone, tone: Tone, width: int) -> list[Line]:
    texts = wrap(text, max(width - 4, 1))
    return [(Span(f" {mark} " if at == 0 else "   ", mark_tone), Span(line, tone)) for at, line in enumerate(texts)]


def _position(view: DeskView, replay: ReplayView, width: int) -> Line:
    share = money.div(replay.number, replay.count)
    percent = share * 100 // money.SCALE
    if replay.goal:
        left: Line = (Span(f" ~ SEEKING event {replay.goal:,} ", Tone.WARN),)
    elif replay.playing:
        left = (Span(f" > PLAYING {_speed(replay)} ", Tone.GOOD),)
    else:
        left = (Span(f" || PAUSED {_speed(replay)} ", Tone.STRONG),)
    run = Span(f"run {said(view.run_id, 24)} ", Tone.DIM)
    day, event = Span(f"{date(view.at_ns)} ", Tone.DIM), f"event {replay.number:,} of {replay.count:,}"
    end: Line = (*bar(share, 12), Span(f" {percent:3d} % "))
    for right in (
        (run, day, Span(f"{event}  "), *end),
        (day, Span(f"{event}  "), *end),
        (Span(f"{event} "), Span(f" {percent:3d} % ")),
    ):
        if width_of(left) + width_of(right) < width:
            return both_ends(left, right, width)
    return both_ends(left, (Span(f" {percent:3d} % "),), width)


def _speed(replay: ReplayView) -> str:
    return f"{replay.speed}x" if replay.speed else "max"
