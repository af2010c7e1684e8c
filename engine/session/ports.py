"""The ports of the session: what it needs of a venue, a clock, a journal, and what it offers an operator."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

import msgspec

from engine.core.config import Instrument
from engine.core.events import AccountRead, Act, AnyEvent, BalanceRead, Bar, BrokerEvent, BrokerNews, FeedEvent
from engine.core.facts import AnyFact, Cancel, Query, Submit
from engine.core.view import CommandReceipt, DeskView
from engine.venues.errors import VenueError


class Clock(Protocol):
    """The only source of time outside the core. `now_ns` is UTC wall (or venue) time, `mono_ns` never steps."""

    @property
    def kind(self) -> str:
        """wall, scaled or virtual."""

    @property
    def speed(self) -> int:
        """How many times as fast as real time; 0: as fast as it can."""

    def now_ns(self) -> int: ...

    def mono_ns(self) -> int: ...

    async def sleep(self, ns: int) -> None: ...


class Feed(Protocol):
    """Live market data of one venue. Reconnects by itself; says so in events."""

    async def connect(self) -> None:
        """Open the connection or raise `VenueError` naming the cause."""

    async def instruments(self) -> Sequence[Instrument]: ...

    async def listing(self) -> Mapping[str, Instrument | VenueError]:
        """Each symbol as the venue lists it now, or why it is not to be traded there. Raises `VenueError`."""

    async def sync_time(self) -> int | None:
        """How far the venue's clock is ahead of ours, in ns, by asking it; None if it does not say."""

    async def history(self, symbol: str, span_ns: int, count: int) -> list[Bar]:
        """The newest `count` closed bars, oldest first, without the still open one; `backfilled` is set."""

    def events(self) -> AsyncIterator[Sequence[FeedEvent]]:
        """Market data and feed health as they come, in small groups, until closed; raises `VenueGone` at the end."""

    async def close(self) -> None: ...


class Broker(Protocol):
    """A venue's own broker. Answers arrive as events; a call never raises for what the venue says."""

    async def connect(self) -> None:
        """Log in and listen, or raise `VenueError` naming the cause."""

    async def submit(self, order: Submit, passes: Callable[[Submit], bool]) -> Sequence[BrokerEvent]:
        """Place an order. `passes` is asked when nothing is waited for any more; its no raises `HeldBack`."""

    async def cancel(self, order: Cancel) -> Sequence[BrokerEvent]: ...

    async def query(self, order: Query) -> Sequence[BrokerEvent]:
        """What the venue knows of the order: its state and all its fills, or `OrderMissing`."""

    async def balance(self) -> BalanceRead:
        """The account as the venue has it now, or raise `VenueError`."""

    async def books(self, trigger: str) -> AccountRead:
        """Positions, working orders and cash as the venue has them now, or raise `VenueError`."""

    def events(self) -> AsyncIterator[Sequence[BrokerNews]]: ...

    async def close(self) -> None: ...


class Batch(msgspec.Struct, frozen=True):
    """One unit of work for the journal: it commits whole or not at all.

    `facts` carry the sequence number of the input that caused them. `first_seq` numbers `inputs` from there, gapless
    within the desk. `snapshot`, if present, is the core's state after the last input of this batch.
    """

    run_id: str
    first_seq: int
    inputs: Sequence[AnyEvent]
    facts: Sequence[tuple[int, AnyFact]]
    recorded_ns: int
    snapshot: bytes | None = None


class Committed(msgspec.Struct, frozen=True):
    """The journal after a batch: rows in all, head of the hash chain (hex), and how long the commit took."""

    rows: int
    head: str
    took_us: int


class SignedHead(msgspec.Struct, frozen=True):
    """The journal up to row `row`, under the desk's signature: whoever holds it sees if that is changed or cut.

    Attributes:
        row: The newest row it covers, of kind `head`; its hash covers every row before it.
        cause: Why it was signed: hour, report, sent, close, restored or pruned.
        key, ed25519: The public key and its signature, hex. Scrubbed outputs mask what goes under the name signature.
    """

    desk_id: str
    env: str
    row: int
    hash: str
    at_ns: int
    run_id: str
    cause: str
    key: str
    ed25519: str


class Journal(Protocol):
    """The desk's durable memory. One writer; batches commit in the order given."""

    def commit(self, batch: Batch) -> Future[Committed]:
        """Queue a batch; blocks while the queue is full. The future fails when the outcome is not known to be good."""

    def latch(self, latched: bool, text: str) -> Future[None]:
        """Write the kill latch by itself, ahead of queued batches."""

    def close(self) -> None: ...


class Recovered(msgspec.Struct, frozen=True):
    """What the journal remembers: newest snapshot (None: a new desk), the inputs after it, the next sequence number."""

    snapshot: bytes | None
    tail: Iterable[AnyEvent]
    next_seq: int
    rows: int
    head: str
    kill_latched: bool
    desk_id: str = ""


class CommandRequest(msgspec.Struct, frozen=True):
    """An operator's wish, as it travels to the desk."""

    act: Act
    source: str
    actor: str
    reason: str = ""
    subject: str = ""


class Desk(Protocol):
    """A desk as its operator has it: in process or through the control socket; the console cannot tell which."""

    def view(self) -> DeskView | None:
        """The newest view; None before the first. Never blocks, safe from any thread."""

    def command(self, request: CommandRequest) -> Future[CommandReceipt]:
        """Send a command; the receipt comes once it is durable."""

    def stop(self, reason: str, *, keep_positions: bool = False) -> None:
        """Ask the session to end in order."""

    def ended(self) -> bool:
        """True once the session is over and its report written."""
