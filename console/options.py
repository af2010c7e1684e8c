"""What `nightdesk run` was asked, checked: the command line's half of a run, beside the configuration."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from engine.session.home import Home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.review.evidence import Injected
    from engine.session.plan import ProtocolWatch

Speed = int | Literal["max"]
SPEED_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class RunOptions:
    """One start of the desk.

    Attributes:
        data: Recorded files to play instead of a live or generated market; they exist.
        symbols: What to trade; empty: everything in `data`.
        duration_ns: On the session's clock; None: until stopped.
        speed: 1, N times real time, or "max": as fast as the machine can, on a virtual clock.
        headless: No console; one status line a second instead.
        keep_positions: Leave positions open at the end instead of closing them.
        json: The final word on standard output is JSON.
        watch: The validation protocol the run belongs to; its verdict is the final word then. None: it belongs to none.
        is_part: It is a part of another command, whose answer is the final word.
        begin_ns: Where a market that is played at full speed is entered; 0: at its beginning.
        faults: What is broken on purpose, counted from `faults_from_ns`; 0: from the market's beginning.
        ticks: The generated market at full speed tells a quote a second of each symbol, and no book.
    """

    env: str
    home: Home
    venue: str
    broker: str
    data: tuple[Path, ...]
    symbols: tuple[str, ...]
    strategy: str
    duration_ns: int | None
    speed: Speed
    seed: int
    headless: bool
    keep_positions: bool
    json: bool
    watch: "ProtocolWatch | None" = None
    is_part: bool = False
    begin_ns: int = 0
    ticks: bool = False
    faults: "Sequence[Injected]" = ()
    faults_from_ns: int = 0


def parse_speed(text: str) -> Speed:
    """`1`, a whole number up to 10,000, or `max`. Raises ValueError naming the rule."""
    if text == "max":
        return "max"
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= SPEED_MAX):
        raise ValueError(f"must be 1, a whole number up to {SPEED_MAX}, or max")
    return int(text)
