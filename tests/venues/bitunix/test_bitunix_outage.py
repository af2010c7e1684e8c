"""The reconnect window to the second, in virtual time: only the attempts matter here, so no socket is opened."""

import asyncio
import selectors
from itertools import pairwise
from typing import Any

import pytest

from engine.venues.bitunix.link import Link, LinkTimes
from engine.venues.errors import AuthFailed, NotSent, VenueGone
from tests.venues.bitunix.fakevenue import SetClock


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop that does not wait: where it would sleep, its time jumps."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        loop = self

        class Selector(selectors.SelectSelector):
            def select(self, timeout: float | None = None) -> list[Any]:
                loop.now_s += timeout or 0.0
                return super().select(0)

        super().__init__(Selector())

    def time(self) -> float:
        return self.now_s


class Outage(Link):
    """A link whose venue is away for a while."""

    def __init__(self, loop: JumpingLoop, outage_s: float, refusal: type[NotSent | AuthFailed] = NotSent) -> None:
        async def greet(_: Link) -> None:
            return None

        super().__init__(
            "ws://127.0.0.1:1",
            SetClock(),
            greet=greet,
            on_frame=lambda *_: True,
            on_down=lambda _: None,
            times=LinkTimes(),
            room=asyncio.Event(),
        )
        self.loop, self.until_s, self.refusal = loop, loop.now_s + outage_s, refusal
        self.attempts_s: list[float] = []

    async def _establish(self) -> None:
        self.attempts_s.append(self.loop.now_s - 1_000.0)
        if self.loop.now_s < self.until_s:
            raise self.refusal("connection refused")

    def reconnect(self) -> None:
        try:
            self.loop.run_until_complete(self._reconnect())
        finally:
            self.loop.close()


def test_an_outage_of_599_seconds_is_survived() -> None:
    """FN-12."""
    link = Outage(JumpingLoop(), 599.0)
    link.reconnect()
    assert 599.0 <= link.attempts_s[-1] <= 600.001


def test_an_outage_of_601_seconds_is_given_up_at_600() -> None:
    """FN-12."""
    link = Outage(JumpingLoop(), 601.0)
    with pytest.raises(VenueGone) as gone:
        link.reconnect()
    assert gone.value.outage_s == pytest.approx(600.0, abs=0.01)
    assert link.attempts_s[-1] == pytest.approx(600.0, abs=0.01)


def test_attempts_grow_apart_and_then_keep_an_even_pace() -> None:
    link = Outage(JumpingLoop(), 601.0)
    with pytest.raises(VenueGone):
        link.reconnect()
    pauses = [later - earlier for earlier, later in pairwise(link.attempts_s)]
    assert pauses[0] <= 1.0
    assert all(pause == pytest.approx(15.0) for pause in pauses[6:-1])
    assert 35 <= len(pauses) <= 50


def test_a_refused_login_is_not_tried_again() -> None:
    link = Outage(JumpingLoop(), 601.0, AuthFailed)
    with pytest.raises(AuthFailed):
        link.reconnect()
    assert len(link.attempts_s) == 1
