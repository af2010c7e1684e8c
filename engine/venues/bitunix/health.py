"""Is the feed alive, as a whole and per symbol. Only content counts: a venue can be connected and mute."""

from collections.abc import Iterable

from engine.core.config import SECOND
from engine.core.events import FeedChanged, FeedHealth

WHOLE = ""  # the name of the feed as a whole


class Watch:
    """Remembers when content last came. Times in transport seconds (`mono_s`); stamps of events in UTC ns.

    Args:
        limit_s: Silence longer than this is STALE.
    """

    def __init__(self, symbols: Iterable[str], limit_s: float) -> None:
        self._limit_s = limit_s
        self._heard_s = dict.fromkeys([WHOLE, *symbols], 0.0)
        self._heard_ns = dict.fromkeys(self._heard_s, 0)
        self._health: dict[str, FeedHealth | None] = dict.fromkeys(self._heard_s)

    def start(self, mono_s: float) -> None:
        """Silence counts from here."""
        self._heard_s = dict.fromkeys(self._heard_s, mono_s)

    def heard_ns(self, symbol: str) -> int:
        """When `symbol` last said anything (UTC ns); 0: never."""
        return self._heard_ns[symbol]

    def silence_s(self, symbol: str, mono_s: float) -> float:
        """How long `symbol` has been silent."""
        return mono_s - self._heard_s[symbol]

    def heard(self, symbol: str, mono_s: float, at_ns: int) -> list[FeedChanged]:
        """Content of `symbol` came ("": of none in particular)."""
        changes: list[FeedChanged] = []
        for name in (WHOLE, symbol) if symbol else (WHOLE,):
            if self._health[name] is not FeedHealth.LIVE:
                age_s = mono_s - self._heard_s[name]
                detail = "first data" if self._heard_ns[name] == 0 else f"data again after {age_s:.1f} s"
                changes.append(self._turn(name, FeedHealth.LIVE, age_s, at_ns, detail))
            self._heard_s[name] = mono_s
            self._heard_ns[name] = at_ns
        return changes

    def tick(self, mono_s: float, at_ns: int) -> list[FeedChanged]:
        """Who has been silent for too long since the last look."""
        return [
            self._turn(name, FeedHealth.STALE, mono_s - heard_s, at_ns, f"no message for {self._limit_s:g} s")
            for name, heard_s in self._heard_s.items()
            if mono_s - heard_s >= self._limit_s and self._health[name] is not FeedHealth.STALE
        ]

    def down(self, symbols: Iterable[str], mono_s: float, at_ns: int, why: str) -> list[FeedChanged]:
        """The connection that carries `symbols` was lost. What is stale already stays so: that is the graver word."""
        return [
            self._turn(name, FeedHealth.DOWN, mono_s - self._heard_s[name], at_ns, why)
            for name in symbols
            if self._health[name] not in (FeedHealth.DOWN, FeedHealth.STALE)
        ]

    def _turn(self, name: str, health: FeedHealth, age_s: float, at_ns: int, detail: str) -> FeedChanged:
        self._health[name] = health
        return FeedChanged(name, at_ns, health, int(age_s * SECOND), detail)
