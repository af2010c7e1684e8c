"""Is it alive: the desk's beat, the age of its data, the lag of its loop, the cost of its journal."""

from console.text import FRESH_NS, OVER, Line, Seen, Span, Tone, clock, count_of, fit, heading, micros, said, sign
from engine.core.events import FeedHealth
from engine.core.times import stretch
from engine.core.view import FeedView, HeartbeatView

LABEL = 8
WIDE = 40
LAG_NEAR_US = 50_000
LAG_FULL_US = 250_000
MEGABYTE = 1_000_000


def title(seen: Seen, width: int) -> Line:
    if seen.view.replay is not None:
        return heading("Heartbeat", (Span("not recorded", Tone.DIM),), width)
    if seen.view.phase in OVER:
        return heading("Heartbeat", (Span(f"ended {clock(seen.view.at_ns)}", Tone.DIM),), width)
    tone, age = beat(seen)
    if seen.view.heartbeat.unhealthy and tone is Tone.GOOD:
        tone, age = Tone.BAD, "UNHEALTHY"
    return heading("Heartbeat", (sign(tone), Span(f" {age}", tone)), width)


def rows(seen: Seen, width: int) -> list[Line]:
    """One line for each sign of life, the most telling first."""
    view, pulse = seen.view, seen.view.heartbeat
    if view.replay is not None:  # the journal holds what the desk was told and decided, not how its process was
        market = _row("market", count_of(view.market_events, "event"), width, Tone.GOOD)
        return [_feed(seen, width), market]
    if view.phase in OVER:
        market = _row("market", count_of(view.market_events, "event"), width, Tone.GOOD)
        return [(Span("the session is over: nothing beats any more", Tone.DIM),), market]
    lag = _lag_tone(pulse.loop_lag_p99_us)
    p99, gap = ("p99 ", "worst ") if width >= WIDE else ("", "")
    lost = pulse.dropped_ticks + pulse.gap_count + pulse.stale_events + _refused(seen)
    return [
        *(_row("health", text, width, Tone.BAD) for text in pulse.unhealthy),
        *(_row("warning", text, width, Tone.WARN) for text in pulse.warnings),
        _feed(seen, width),
        _row("loop lag", f"{p99}{micros(pulse.loop_lag_p99_us)}, max {micros(pulse.loop_lag_max_us)}", width, lag),
        _row("beats", f"{pulse.count:,}, {gap}gap {stretch(pulse.max_gap_ns)}", width, _gap_tone(pulse.max_gap_ns)),
        _row("errors", f"{pulse.error_count:,}", width, Tone.WARN if pulse.error_count else Tone.GOOD),
        _row("data", _data(seen, width), width, Tone.WARN if lost else Tone.GOOD),
        _row("commit", f"{p99}{micros(pulse.commit_p99_us)}, {pulse.queue_depth:,} wait", width, Tone.GOOD),
        _row("decision", f"{p99}{_decision(pulse.decision_p99_us)}", width, Tone.GOOD),
        _row("memory", _memory(pulse), width, Tone.GOOD),
        _row("journal", f"{view.journal_rows:,} rows, head {view.journal_head[:8]}", width, Tone.GOOD),
        _row("market", count_of(view.market_events, "event"), width, Tone.GOOD),
        _row("process", f"{view.pid}, {said(view.clock, 8)} clock, seed {view.seed}", width, Tone.GOOD),
    ]


def beat(seen: Seen) -> tuple[Tone, str]:
    """How old the last beat is, and what that means.

    The desk beats by the wall. Where its own time runs otherwise only the observer can tell how long it has been mute.
    """
    last = seen.view.heartbeat.last_ns
    if not last:
        return Tone.WARN, "no beat yet"
    on_wall = seen.view.clock == "wall"
    age = seen.now_ns - last if on_wall else seen.silent_ns if seen.is_stale else 0
    if age < FRESH_NS:
        return Tone.GOOD, "beating"
    return (Tone.BAD if age >= 5 * FRESH_NS else Tone.WARN), f"last beat {stretch(age)} ago"


def _feed(seen: Seen, width: int) -> Line:
    """The whole feed in a line: how many symbols are live, and the oldest data by name."""
    feeds = seen.view.feeds
    if not feeds:
        return _row("feed", "no symbol yet", width, Tone.WARN)
    feeds = tuple(feed for feed in feeds if not feed.closed)
    if not feeds:
        return _row("feed", "market closed", width, Tone.GOOD)
    live = sum(feed.health is FeedHealth.LIVE for feed in feeds)
    worst = max(feeds, key=lambda feed: (feed.health is not FeedHealth.LIVE, _age(seen, feed), feed.symbol))
    tone = Tone.GOOD if live == len(feeds) else Tone.BAD if not live else Tone.WARN
    age = _age(seen, worst)
    if not worst.last_ns:
        oldest = f"{said(worst.symbol, 12)} silent"
    elif age >= FRESH_NS:
        oldest = f"{said(worst.symbol, 12)} {stretch(age)}"
    else:
        oldest = "fresh"
    return _row("feed", f"{live}/{len(feeds)} {'live, ' if width >= WIDE else ''}{oldest}", width, tone)


def _age(seen: Seen, feed: FeedView) -> int:
    return seen.now_ns - feed.last_ns


def _data(seen: Seen, width: int) -> str:
    pulse, refused = seen.view.heartbeat, _refused(seen)
    if refused:
        return f"{refused:,} refused, {count_of(pulse.gap_count, 'gap')}"
    if width < WIDE:
        return f"{count_of(pulse.gap_count, 'gap')}, {pulse.dropped_ticks} lost"
    return f"{count_of(pulse.gap_count, 'gap')}, {pulse.dropped_ticks} dropped, {pulse.stale_events} stale"


def _refused(seen: Seen) -> int:
    """Frames and rows that could not be used; `nightdesk status` tells their causes."""
    return sum(refused.count for refused in seen.view.data_refused)


def _memory(pulse: HeartbeatView) -> str:
    growth = pulse.leak_bytes_hour
    return f"{pulse.rss_bytes // MEGABYTE:,} MB" + ("" if growth is None else f", {growth / MEGABYTE:+.1f} MB/h")


def _decision(us: int) -> str:
    return f"{us} us" if us < 1_000 else micros(us)


def _lag_tone(us: int) -> Tone:
    return Tone.BAD if us >= LAG_FULL_US else Tone.WARN if us >= LAG_NEAR_US else Tone.GOOD


def _gap_tone(ns: int) -> Tone:
    return Tone.WARN if ns >= 2 * FRESH_NS else Tone.GOOD


def _row(label: str, text: str, width: int, tone: Tone) -> Line:
    body = Span(fit(text, width - LABEL - 4), Tone.PLAIN if tone is Tone.GOOD else tone)
    return (sign(tone), Span(" "), Span(fit(label, LABEL), Tone.DIM), Span(" "), body)
