"""One public connection's share of a feed: all streams of some symbols, asked for anew each time it opens."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from engine.venues.bitunix.frames import FrameReader, Item
from engine.venues.bitunix.link import Link, LinkTimes
from engine.venues.bitunix.rest import Clock
from engine.venues.bitunix.wire import ControlFrame

STREAMS_PER_SOCKET: Final = 300
STREAMS_PER_MESSAGE: Final = 100

OnItems = Callable[[str, list[Item], int], bool]


class Streams:
    """The streams and their connection.

    Args:
        on_items: Told the symbol ("" for several) and items of each frame and when it came; True if it was content.
        on_refusal: Told the venue's no to a subscription.
        on_down: Told the symbols and the cause when the connection is lost.
    """

    def __init__(
        self,
        url: str,
        symbols: Sequence[str],
        channels: Sequence[str],
        clock: Clock,
        *,
        replay: bool,
        times: LinkTimes,
        room: asyncio.Event,
        on_items: OnItems,
        on_refusal: Callable[[ControlFrame, int], None],
        on_down: Callable[[Sequence[str], str], None],
    ) -> None:
        self.symbols = symbols
        self._channels = channels
        self._replay = replay
        self._on_items = on_items
        self._on_refusal = on_refusal
        self._reader = FrameReader(symbols, replay=replay)
        self._opened_s = 0.0
        self.link = Link(
            url,
            clock,
            greet=self._subscribe,
            on_frame=self._on_frame,
            on_down=lambda why: on_down(symbols, why),
            times=times,
            room=room,
        )

    async def drop_if_mute(self, silent_s: float, limit_s: float) -> None:
        """Give the connection up if it is open for `limit_s` and brought nothing (`silent_s`) for as long."""
        now_s = asyncio.get_running_loop().time()
        if silent_s >= limit_s and now_s - self._opened_s >= limit_s:
            self._opened_s = now_s
            await self.link.drop(f"connected, but no data for {limit_s:g} s")

    async def _subscribe(self, link: Link) -> None:
        """A few messages for the whole wanted set. The venue acknowledges none of them."""
        self._reader = FrameReader(self.symbols, replay=self._replay)
        self._opened_s = asyncio.get_running_loop().time()
        args = [{"symbol": symbol, "ch": channel} for symbol in self.symbols for channel in self._channels]
        for at in range(0, len(args), STREAMS_PER_MESSAGE):
            await link.send({"op": "subscribe", "args": args[at : at + STREAMS_PER_MESSAGE]})

    def _on_frame(self, raw: bytes, at_ns: int) -> bool:
        read = self._reader.read(raw, at_ns)
        if isinstance(read, ControlFrame):
            if read.is_refusal:
                self._on_refusal(read, at_ns)
            return False
        return self._on_items(read[0], read[1], at_ns)


def shares(symbols: Sequence[str], channels: int) -> list[Sequence[str]]:
    """The symbols of each connection, within the venue's limit of streams."""
    size = max(STREAMS_PER_SOCKET // channels, 1)
    return [symbols[at : at + size] for at in range(0, len(symbols), size)]
