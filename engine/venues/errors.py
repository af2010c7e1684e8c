"""What can go wrong with a venue, in the classes that are handled differently.

Every foreign exception and every venue code becomes one of these once, at the edge. Only `NotSent` and `RateLimited`
say that nothing happened and the same call may be made again; after `UnknownOutcome` only evidence may decide.
"""

from engine.core.clean import clean


class VenueError(Exception):
    """Base: a venue did not do what it was asked. `text` is safe to show, `code` the venue's own (None: no reply)."""

    def __init__(self, text: str, code: int | None = None) -> None:
        self.text = clean(text)
        self.code = code
        super().__init__(self.text if code is None else f"{self.text} (code {code})")


class NotSent(VenueError):
    """The connection failed before any byte of the request was written: definitely nothing happened."""


class RateLimited(VenueError):
    """Refused for asking too often. `retry_after_s` is the venue's wish; None where it names none."""

    def __init__(self, text: str, code: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(text, code)
        self.retry_after_s = retry_after_s


class AuthFailed(VenueError):
    """Key, signature or permission refused: stop using the venue and ask the operator."""


class ClockSkew(VenueError):
    """The venue refused our timestamp and its clock is measurably elsewhere."""


class InsufficientMargin(VenueError):
    """The account cannot carry the order; read the account again, do not retry."""


class RuleRefused(VenueError):
    """A rule of the venue forbids the request as it stands; do not retry."""


class DuplicateClientId(VenueError):
    """The venue already has an order of this client id: ask for that order."""


class OrderNotFound(VenueError):
    """No such order at the place asked; its history may know it."""


class UnknownOutcome(VenueError):
    """No definite answer (timeout, reset, 5xx, unreadable reply): it may or may not have happened."""


class VenueClosed(VenueError):
    """The venue or the contract does not trade now."""


class VenueGone(VenueError):
    """The connection could not be brought back within the reconnect window. `outage_s` is how long it has been."""

    def __init__(self, text: str, outage_s: float) -> None:
        super().__init__(text)
        self.outage_s = outage_s
