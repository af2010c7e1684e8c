"""What a venue process is asked and what it says first. Light: the desk imports this, not the server."""

import msgspec

RATE_PER_SECOND = 10

SIM_KEY = "nightdesk-sim"
SIM_SECRET = "nightdesk-sim-secret"
"""Known to everybody: they open nothing but a simulated account, and a client must refuse them anywhere else."""


class VenueOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What can be asked of a venue process.

    Attributes:
        port: REST listens here, sockets on the next one; 0: any two free ports.
        data: Recorded files or folders to play; none: the generated market.
        seed: Of the generated market; None: the one kept in `anchor`, or the default.
        speed: Venue seconds per second, at least 1.
        anchor: File that keeps where the generated market began; empty: begins now.
        symbols: Which to list; empty: all the market has.
        warmup_bars: One-minute bars a recorded market holds back as history before it begins.
        quote_interval_ms: Between two quotes of a symbol in the generated market; 0: the market's own.
        each_quote: Push `depth_book1` at every quote: a load, not a venue's behaviour.
        parent: Process id of the desk this venue belongs to; 0: it stands alone.
    """

    port: int = 0
    host: str = "127.0.0.1"
    data: tuple[str, ...] = ()
    seed: int | None = None
    speed: int = 1
    anchor: str = ""
    symbols: tuple[str, ...] = ()
    warmup_bars: int = 0
    quote_interval_ms: float = 0
    each_quote: bool = False
    allow_remote: bool = False
    rate_per_second: int = RATE_PER_SECOND
    parent: int = 0


class Announcement(msgspec.Struct, frozen=True):
    """The first line: both ports, the venue's time when the machine's monotonic clock showed `mono_ns`, and more."""

    http: int
    ws: int
    now_ns: int
    mono_ns: int
    speed: int
    pid: int
    source: str
    seed: int
