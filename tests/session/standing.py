"""A clock that stands still until a test moves it."""

from tests.rig import START_NS


class StandingClock:
    """Implements `engine.session.ports.Clock`."""

    kind = "wall"
    speed = 1

    def __init__(self) -> None:
        self.now = START_NS
        self.mono = 1_000_000_000

    def now_ns(self) -> int:
        return self.now

    def mono_ns(self) -> int:
        return self.mono

    async def sleep(self, ns: int) -> None:
        self.now += ns
        self.mono += ns
