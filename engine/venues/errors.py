"""What can go wrong with a venue, in the classes that are handled differently.

Every foreign exception and every venue code becomes one of these once, at the edge, and `TREATMENTS` says what follows:
one table for every venue (docs/reliability.md shows it). What changes something at a venue is sent once, whatever the
class; after `UnknownOutcome` only evidence may decide.
"""

from typing import Final, NamedTuple

from engine.core.clean import clean
from engine.core.words import ReasonCode


class VenueError(Exception):
    """Base: a venue did not do what it was asked. `text` is safe to show, `code` the venue's own (None: no reply)."""

    def __init__(self, text: str, code: int | None = None) -> None:
        self.text = clean(text)
        self.code = code
        super().__init__(self.text if code is None else f"{self.text} (code {code})")


class NotSent(VenueError):
    """The connection failed before any byte of the request was written: definitely nothing happened."""


class HeldBack(Exception):
    """A call that was no longer to be made when its turn came. Nothing was sent."""


class CertificateRefused(NotSent):
    """The venue could not prove who it is: a certificate expired, of another name or issuer. Nothing was sent."""


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


class Treatment(NamedTuple):
    """What follows from an error of one class.

    Attributes:
        name: The class, as documents and tables call it.
        is_definite: The request certainly had no effect: an order that ended so is refused.
        is_retryable: A read may be made again after a while. An order never is.
        reason_code: Our word for an order refused so; None where the error is no refusal of it.
        then: What the desk does.
    """

    name: str
    is_definite: bool
    is_retryable: bool
    reason_code: ReasonCode | None
    then: str


TREATMENTS: Final[dict[type[VenueError], Treatment]] = {
    NotSent: Treatment(
        "not sent", True, True, ReasonCode.VENUE_REFUSED, "reads are made again; three failures in a row rest a minute"
    ),
    CertificateRefused: Treatment(
        "certificate",
        True,
        False,
        ReasonCode.VENUE_REFUSED,
        "the start ends; a lost connection is tried again until the window is over, its certificate checked each time",
    ),
    RateLimited: Treatment(
        "rate-limited", True, True, ReasonCode.RATE_LIMIT, "all reads wait for `Retry-After`, else longer each time"
    ),
    AuthFailed: Treatment(
        "auth",
        True,
        False,
        ReasonCode.VENUE_REFUSED,
        "the start or the session ends; the key is the operator's to mend",
    ),
    ClockSkew: Treatment(
        "clock",
        True,
        True,
        ReasonCode.VENUE_REFUSED,
        "the clock's offset is corrected from the reply, reads are made again",
    ),
    InsufficientMargin: Treatment(
        "margin", True, False, ReasonCode.MARGIN, "the order is refused; the account is read again within seconds"
    ),
    RuleRefused: Treatment("rule", True, False, ReasonCode.VENUE_REFUSED, "the order is refused"),
    DuplicateClientId: Treatment(
        "duplicate id", False, False, None, "the venue is asked for the order that has the id, and its answer counts"
    ),
    OrderNotFound: Treatment(
        "not found", False, False, None, "working and past orders are searched; missing everywhere, the order never was"
    ),
    UnknownOutcome: Treatment(
        "unknown outcome",
        False,
        True,
        None,
        "the order is UNKNOWN, entries stop, and the venue is asked by the order's id",
    ),
    VenueClosed: Treatment("venue closed", True, False, ReasonCode.SYMBOL_NOT_ALLOWED, "the order is refused"),
    VenueGone: Treatment(
        "venue gone", False, False, None, "the session ends in order; positions stay with their orders"
    ),
}
"""Every class there is. A subclass without a row is treated as the class it belongs to."""


def treatment(error: VenueError) -> Treatment:
    """The row of the table for `error`; one that says nothing about itself is an unknown outcome."""
    found = (TREATMENTS[kind] for kind in type(error).__mro__ if kind in TREATMENTS)
    return next(found, TREATMENTS[UnknownOutcome])


def is_definite(error: VenueError) -> bool:
    """True if the request certainly had no effect."""
    return treatment(error).is_definite


def is_retryable(error: BaseException) -> bool:
    """True if making a read again may help."""
    return isinstance(error, VenueError) and treatment(error).is_retryable


def reason_code(error: VenueError) -> ReasonCode:
    """Our word for an order, or its cancel, that the venue refused with `error`."""
    return treatment(error).reason_code or ReasonCode.VENUE_REFUSED
