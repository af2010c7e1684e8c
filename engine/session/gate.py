"""The gate: the last thing every order passes on its way out. Closing it is the first act of kill and pause."""

from engine.core.facts import Submit


class Gate:
    """Open or closed for orders that add risk; one that only reduces risk always passes.

    A plain flag, so that any thread may close it at any time, also while the event loop is stuck.
    """

    def __init__(self) -> None:
        self._closed = True
        self._slammed = False

    @property
    def closed(self) -> bool:
        return self._closed or self._slammed

    @property
    def slammed(self) -> bool:
        return self._slammed

    def slam(self) -> None:
        """Close for good: a kill. Only `rearm` opens it again."""
        self._slammed = True

    def rearm(self) -> None:
        self._slammed = False

    def follow(self, blocked: bool) -> None:
        """Take the core's word: closed while anything blocks entries."""
        self._closed = blocked

    def passes(self, order: Submit) -> bool:
        """Whether `order` may leave the process."""
        return order.reduce_only or not self.closed
