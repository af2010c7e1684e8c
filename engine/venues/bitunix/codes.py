"""The venue's answers in our classes: HTTP statuses, and the `code` it puts into replies that are all HTTP 200."""

from typing import Final

from engine.core.words import ReasonCode
from engine.venues.errors import (
    AuthFailed,
    ClockSkew,
    DuplicateClientId,
    InsufficientMargin,
    NotSent,
    OrderNotFound,
    RateLimited,
    RuleRefused,
    UnknownOutcome,
    VenueClosed,
    VenueError,
)

SIGNATURE_CODE: Final = 10007  # a wrong signature, or a time stamp outside the venue's window: it does not say which
NOT_TRADED_CODE: Final = 20015

CODES: Final[dict[int, type[VenueError]]] = {
    **dict.fromkeys((1, 10001), UnknownOutcome),
    **dict.fromkeys((10005, 10006), RateLimited),
    **dict.fromkeys((10003, 10004, SIGNATURE_CODE, 20011), AuthFailed),
    **dict.fromkeys((20002, 20003, 20008, 30001), InsufficientMargin),
    **dict.fromkeys(
        (404, 10002, 10008, 20001, 20005, 20009, 20012, NOT_TRADED_CODE, *range(30013, 30020), 30039), RuleRefused
    ),
    30042: DuplicateClientId,
    20007: OrderNotFound,
}

DEFINITE: Final = (NotSent, RateLimited, AuthFailed, ClockSkew, InsufficientMargin, RuleRefused, VenueClosed)


def by_code(code: int, text: str) -> VenueError:
    """The error a non-zero `code` stands for. One we do not know proves nothing about what happened."""
    return CODES.get(code, UnknownOutcome)(text or "no reason given", code)


def by_status(status: int, text: str, retry_after: str | None = None) -> VenueError:
    """The error an HTTP status other than 200 stands for."""
    said = f"HTTP {status}: {text}" if text else f"HTTP {status}"
    if status in (418, 429):
        seconds = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
        return RateLimited(said, status, seconds)
    if status in (401, 403):
        return AuthFailed(said, status)
    if status >= 500 or status < 400:
        return UnknownOutcome(said, status)
    return RuleRefused(said, status)


def reason_code(error: VenueError) -> ReasonCode:
    """Our word for a definite refusal of an order."""
    match error:
        case RateLimited():
            return ReasonCode.RATE_LIMIT
        case InsufficientMargin():
            return ReasonCode.MARGIN
        case DuplicateClientId():
            return ReasonCode.DUPLICATE
        case RuleRefused() if error.code == NOT_TRADED_CODE:
            return ReasonCode.SYMBOL_NOT_ALLOWED
        case VenueClosed():
            return ReasonCode.SYMBOL_NOT_ALLOWED
        case _:
            return ReasonCode.VENUE_REFUSED


def is_definite(error: VenueError) -> bool:
    """True if the request certainly had no effect."""
    return isinstance(
        error, NotSent | RateLimited | AuthFailed | ClockSkew | InsufficientMargin | RuleRefused | VenueClosed
    )
