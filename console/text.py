"""Lines of text with a meaning for each piece: what every panel returns and every board draws.

A `Line` is a tuple of spans, a span is a text and a tone. Panels know tones, never colours; a board turns tones into
colours or, without colour, into bold and reverse. What comes from outside enters a line through `fit`, `said` or
`wrap`, which clean it; nothing is ever parsed as markup. Widths are terminal cells.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size

from console.seat import Seat
from engine.core import money
from engine.core.clean import clean
from engine.core.events import SessionPhase
from engine.core.view import DeskView

SECOND: Final = 1_000_000_000
NOTICE_LINES_MAX: Final = 3
FRESH_NS: Final = 2 * SECOND  # younger than this is "now": ages below it are not shown, so that idle frames stay idle


class Tone(StrEnum):
    """What a piece of text means to its reader."""

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    TITLE = "title"
    RULE = "rule"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    ALARM = "alarm"
    KEY = "key"
    BAR = "bar"
    PAPER = "paper"
    LIVE = "live"
    REPLAY = "replay"
    CHOSEN = "chosen"  # the answer that Enter gives


class Span(NamedTuple):
    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Span, ...]
BLANK: Final[Line] = ()

OVER: Final = frozenset(
    {
        SessionPhase.COMPLETED,
        SessionPhase.FATAL_ERROR,
        SessionPhase.ALREADY_RUNNING,
        SessionPhase.CONFIG_VALIDATION_FAILED,
    }
)
SIGN: Final = {Tone.GOOD: "ok", Tone.WARN: "! ", Tone.BAD: "x ", Tone.ALARM: "x "}


class Seen(NamedTuple):
    """A view as it is seen now: `silent_ns` is how long no newer one has come, on the observer's own clock.

    `seat` says who looks, `away` why the desk is not there at the moment; "" while it is.
    """

    view: DeskView
    silent_ns: int = 0
    seat: Seat = Seat.OWNER
    away: str = ""

    @property
    def is_stale(self) -> bool:
        """No newer view for too long while the session lives. What is over or recorded may be silent."""
        return self.silent_ns > FRESH_NS and self.view.phase not in OVER and self.view.replay is None

    @property
    def now_ns(self) -> int:
        """The desk's time, carried on by the observer while the desk is silent and should not be."""
        return self.view.at_ns + (self.silent_ns if self.is_stale else 0)


# --- widths ---


def width_of(line: Line) -> int:
    return sum(_width(span.text) for span in line)


def said(text: str, width: int) -> str:
    """An outside text cleaned and cut to at most `width` cells."""
    text = clean(text)
    return text if _width(text) <= width else _cut(text, width)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """An outside text cleaned, then cut or padded to exactly `width` cells."""
    text = said(text, width)
    blanks = " " * (width - _width(text))
    return blanks + text if right else text + blanks


def cut_line(line: Line, width: int) -> Line:
    """`line` in exactly `width` cells: what is too long is cut, what is missing is blank."""
    spans: list[Span] = []
    left = width
    for span in line:
        if left <= 0:
            break
        if _width(span.text) > left:
            span = Span(_cut(span.text, left), span.tone)
        spans.append(span)
        left -= _width(span.text)
    if left > 0:
        spans.append(Span(" " * left))
    return tuple(spans)


def both_ends(left: Line, right: Line, width: int) -> Line:
    """`left` and `right` at the two ends of `width` cells; what is on the left gives way first."""
    room = max(width - width_of(right) - 1, 0)
    if width_of(left) > room:
        left = cut_line(left, room)
    gap = width - width_of(left) - width_of(right)
    return (*left, Span(" " * max(gap, 0)), *right)


def wrap(text: str, width: int) -> list[str]:
    """An outside text cleaned and broken at blanks into lines of at most `width` cells; an overlong word is cut."""
    lines: list[str] = []
    current = ""
    for word in clean(text).split(" "):
        word = said(word, width)
        longer = f"{current} {word}" if current else word
        if _width(longer) > width:
            lines.append(current)
            current = word
        else:
            current = longer
    return [*lines, current] if current else lines


def _width(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _cut(text: str, width: int) -> str:
    if width <= 1 or text.isspace():
        return set_cell_size(text, max(width, 0))
    return set_cell_size(text, width - 1).rstrip() + "…"


# --- numbers ---


def amount(value: int, places: int = 2) -> str:
    """Money with thousands in groups: 10,012.34."""
    digits = money.text(value, places)
    whole, dot, fraction = digits.removeprefix("-").partition(".")
    grouped = f"{int(whole):,}{dot}{fraction}"
    return f"-{grouped}" if digits.startswith("-") else grouped


def signed(value: int, places: int = 2) -> str:
    """Money with its sign always there, so that gain and loss differ by more than colour."""
    return f"+{amount(value, places)}" if value >= 0 else amount(value, places)


def percent(fraction: int, places: int = 2) -> str:
    return f"{money.text(fraction * 100, places)} %"


def price(value: int) -> str:
    """A price with as many places as its size asks for; prices of one symbol stay in one form."""
    magnitude = abs(value)
    for floor, places in ((1000, 2), (10, 3), (1, 4)):
        if magnitude >= floor * money.SCALE:
            return money.text(value, places)
    return money.text(value, 6) if value else "-"


def quantity(value: int, width: int) -> str:
    """A quantity without sign, exact where it fits into `width` cells, else rounded."""
    exact = money.text(abs(value))
    if len(exact) <= width:
        return exact
    whole = len(exact.partition(".")[0])
    return money.text(abs(value), max(min(width - whole - 1, 8), 0))


def toned(value: int) -> Tone:
    """Gain, loss, or neither."""
    return Tone.GOOD if value > 0 else Tone.BAD if value < 0 else Tone.PLAIN


def count_of(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


# --- times ---


class Zone:
    """In whose time moments are written: UTC, or this machine's own. One for the whole console."""

    def __init__(self) -> None:
        self.is_local = False

    @property
    def name(self) -> str:
        return "local" if self.is_local else "UTC"

    def written(self, at_ns: int, form: str) -> str:
        at = datetime.fromtimestamp(at_ns // SECOND, UTC)
        return (at.astimezone() if self.is_local else at).strftime(form)


ZONE: Final = Zone()


def clock(at_ns: int) -> str:
    """Time of day: 12:03:07."""
    if ZONE.is_local:
        return ZONE.written(at_ns, "%H:%M:%S")
    seconds = at_ns // SECOND % 86_400
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def date(at_ns: int) -> str:
    """2026-01-05."""
    return ZONE.written(at_ns, "%Y-%m-%d")


def date_utc(at_ns: int) -> str:
    """2026-01-05, of UTC, as the books count days."""
    return datetime.fromtimestamp(at_ns // SECOND, UTC).strftime("%Y-%m-%d")


def moment(at_ns: int) -> str:
    """Day and time in 14 cells, for lists: 01-05 12:03:07."""
    return ZONE.written(at_ns, "%m-%d %H:%M:%S")


def timer(ns: int) -> str:
    """A running length of time that keeps its width: 00:12:31, 3d 04:00:00."""
    days, rest = divmod(max(ns, 0) // SECOND, 86_400)
    of_day = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}d {of_day}" if days else of_day


def micros(us: int) -> str:
    """A short delay in the coarsest form that still tells: 0.4 ms, 12 ms, 1.2 s. Coarse, so that it seldom changes."""
    if us < 1_000:
        return f"0.{us // 100} ms"
    if us < 1_000_000:
        return f"{us // 1_000} ms"
    return f"{us // 1_000_000}.{us // 100_000 % 10} s"


# --- drawing ---


def bar(fraction: int, width: int, tone: Tone = Tone.BAR) -> Line:
    """A bar of `width` cells, filled to `fraction` (scaled; below 0 is empty, above 1 is full)."""
    filled = min(max(fraction * width + money.SCALE // 2, 0) // money.SCALE, width)
    if fraction > 0 and filled == 0:
        filled = 1
    return (Span("█" * filled, tone), Span("░" * (width - filled), Tone.RULE))


def heading(name: str, right: Line, width: int) -> Line:
    """A panel's first line: its name, a rule, and what matters most at the right end."""
    left = (Span("─ ", Tone.RULE), Span(name, Tone.TITLE), Span(" ", Tone.RULE))
    if right:
        right = (Span(" "), *right)
    room = width - width_of(left)
    if width_of(right) > room:
        right = cut_line(right, room)
    rule = width - width_of(left) - width_of(right)
    return (*left, Span("─" * rule, Tone.RULE), *right)


def sign(tone: Tone) -> Span:
    """The two characters that say a state without colour: ok, ! or x."""
    return Span(SIGN[tone], tone)


def noted(notice: Span | None, width: int) -> list[Line]:
    """What became of the operator's last wish, whole if three lines can hold it."""
    if notice is None:
        return []
    return [(Span(" "), Span(text, notice.tone)) for text in wrap(notice.text, max(width - 2, 1))[:NOTICE_LINES_MAX]]
