"""The venue's answers in our classes: HTTP statuses, and the `code` it puts into replies that are all HTTP 200."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from engine.venues.errors import (
    AuthFailed,
    DuplicateClientId,
    InsufficientMargin,
    OrderNotFound,
    RateLimited,
    RuleRefused,
    UnknownOutcome,
    VenueClosed,
    VenueError,
)

SIGNATURE_CODE: Final = 10007  # a wrong signature, or a time stamp outside the venue's window: it does not say which
RETRY_AFTER_S_MAX: Final = 600.0  # a wish beyond this is taken for a mistake, and shortened

CODES: Final[dict[int, type[VenueError]]] = {
    **dict.fromkeys((1, 10001), UnknownOutcome),
    **dict.fromkeys((10005, 10006), RateLimited),
    **dict.fromkeys((10003, 10004, SIGNATURE_CODE, 20011), AuthFailed),
    **dict.fromkeys((20002, 20003, 20008, 30001), InsufficientMargin),
    **dict.fromkeys((404, 10002, 10008, 20001, 20005, 20009, 20012, *range(30013, 30020), 30039), RuleRefused),
    20015: VenueClosed,
    30042: DuplicateClientId,
    20007: OrderNotFound,
}


def by_code(code: int, text: str) -> VenueError:
    """The error a non-zero `code` stands for. One we do not know proves nothing about what happened."""
    return CODES.get(code, UnknownOutcome)(text or "no reason given", code)


def by_status(status: int, text: str, headers: Mapping[str, str] | None = None) -> VenueError:
    """The error an HTTP status other than 200 stands for; `headers` are the reply's."""
    said = f"HTTP {status}: {text}" if text else f"HTTP {status}"
    if status in (418, 429):
        return RateLimited(said, status, retry_after_s(headers or {}))
    if status in (401, 403):
        return AuthFailed(said, status)
    if status >= 500 or status < 400:
        return UnknownOutcome(said, status)
    return RuleRefused(said, status)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the venue wants to be left alone: its `Retry-After`, in seconds or as a time of its own clock.

    Source: RFC 9110, section 10.2.3.
    """
    wish = headers.get("Retry-After", "")
    try:
        if wish.isdecimal():
            seconds = float(wish)
        else:
            seconds = (parsedate_to_datetime(wish) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, seconds), RETRY_AFTER_S_MAX)
