"""One class for every code, status and break of the line, one treatment for every class, and no order sent twice."""

import asyncio
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web

from engine.core.config import SECOND
from engine.core.words import TERMINAL_STATE, TerminalState
from engine.venues import errors
from engine.venues.bitunix import codes
from engine.venues.bitunix.broker import BitunixBroker
from engine.venues.bitunix.rest import Rest
from engine.venues.bitunix.signing import Credentials
from engine.venues.errors import TREATMENTS, VenueError, treatment
from engine.venues.fuse import FuseOpen
from tests.venues.bitunix.fakevenue import T0_NS, FakeVenue, SetClock, passes, venue
from tests.venues.bitunix.test_bitunix_broker import BUY, QUICK, STOP, Books, refusal

ERROR_STATUSES = (*range(300, 600), 201, 204)
SENDS = ("/trade/place_order", "/trade/cancel_orders")


@pytest.fixture
async def fake() -> AsyncIterator[FakeVenue]:
    async with venue() as one:
        yield one


@pytest.fixture
async def rest(fake: FakeVenue) -> AsyncIterator[Rest]:
    one = Rest(fake.rest_url, SetClock(), credentials=Credentials("key", "secret"), timeout_s=0.4)
    yield one
    await one.close()


def subclasses(kind: type[VenueError]) -> set[type[VenueError]]:
    return {kind, *(found for child in kind.__subclasses__() for found in subclasses(child))}


# --- the table ---


def test_every_class_has_a_treatment_of_its_own_or_of_the_class_it_belongs_to() -> None:
    own = {kind for kind in subclasses(VenueError) if kind.__module__ == errors.__name__}
    assert own - {VenueError} == set(TREATMENTS)
    others = subclasses(VenueError) - own
    assert FuseOpen in others
    assert treatment(FuseOpen("resting")) is TREATMENTS[errors.RateLimited]
    assert treatment(VenueError("says nothing")) is TREATMENTS[errors.UnknownOutcome]


def test_what_is_a_refusal_of_an_order_has_a_reason_of_the_brokers_and_nothing_else_has_one() -> None:
    for kind, row in TREATMENTS.items():
        assert (row.reason_code is not None) is row.is_definite, kind
        if row.reason_code is not None:
            assert TERMINAL_STATE[row.reason_code] is TerminalState.REJECTED_BY_BROKER


def test_what_may_have_happened_is_never_called_a_refusal() -> None:
    doubtful = {kind for kind, row in TREATMENTS.items() if not row.is_definite}
    assert doubtful == {
        errors.UnknownOutcome,
        errors.DuplicateClientId,
        errors.OrderNotFound,
        errors.VenueGone,
    }


def test_every_code_of_the_venue_and_every_status_stands_for_one_class_of_the_table() -> None:
    for code in codes.CODES:
        assert type(codes.by_code(code, "said")) in TREATMENTS
    by_class: dict[str, list[int]] = {}
    for status in ERROR_STATUSES:
        found = codes.by_status(status, "said")
        assert found.code == status
        by_class.setdefault(treatment(found).name, []).append(status)
    assert by_class["auth"] == [401, 403]
    assert by_class["rate-limited"] == [418, 429]
    assert by_class["rule"] == [n for n in range(400, 500) if n not in (401, 403, 418, 429)]
    assert by_class["unknown outcome"] == [*range(300, 400), *range(500, 600), 201, 204]
    assert len(by_class) == 4


@pytest.mark.parametrize("code", [-1, 2, 9_999, 10_009, 30_020, 50_000, 2**31])
def test_a_code_nobody_knows_proves_nothing_about_what_happened(code: int) -> None:
    assert type(codes.by_code(code, "")) is errors.UnknownOutcome


# --- a wish to be left alone ---


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (formatdate(T0_NS // SECOND + 9, usegmt=True), 9.0),
        (formatdate(T0_NS // SECOND - 9, usegmt=True), 0.0),
        ("600", 600.0),
        ("601", 600.0),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_time_of_the_venues_clock(wish: str, seconds: float | None) -> None:
    headers = {"Retry-After": wish, "Date": formatdate(T0_NS // SECOND, usegmt=True)}
    limited = codes.by_status(429, "", headers)
    assert isinstance(limited, errors.RateLimited)
    assert limited.retry_after_s == seconds


def test_a_time_without_the_venues_own_is_no_wish() -> None:
    assert codes.retry_after_s({"Retry-After": formatdate(T0_NS // SECOND, usegmt=True)}) is None


async def test_after_a_retry_after_no_read_asks_the_venue_until_then(fake: FakeVenue, rest: Rest) -> None:
    """FN-13."""
    fake.answers["/x"] = lambda *_: web.Response(status=429, headers={"Retry-After": "1"})
    fake.answers["/y"] = lambda *_: 42
    with pytest.raises(errors.RateLimited):
        await rest.get("/x")
    limited_s = asyncio.get_running_loop().time()
    with pytest.raises(FuseOpen, match="left alone"):
        await rest.get("/y")
    assert await rest.get("/y", is_evidence=True) == 42  # what became of an order is asked all the same
    assert ("GET", "/y") in fake.calls
    await asyncio.sleep(limited_s + 1.01 - asyncio.get_running_loop().time())
    assert await rest.get("/y") == 42


async def test_without_a_wish_the_waits_between_reads_double(
    fake: FakeVenue, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    fake.answers["/x"] = lambda *_: refusal(10005)
    with monkeypatch.context() as patch, pytest.raises(errors.RateLimited):
        patch.setattr("tenacity.wait.random.uniform", lambda *_: 0.0)
        patch.setattr(asyncio, "sleep", sleep)
        await rest.get("/x", attempts=4)
    assert len(fake.calls) == 4
    assert [s for s in slept if s >= 0.25] == [0.25, 0.5, 1.0]  # shorter ones are the pace of calls


# --- no order is sent twice ---


def _reset(request: web.Request, _body: bytes) -> Any:
    assert request.transport is not None
    request.transport.abort()


ANSWERS: dict[str, Any] = {
    **{f"code {code}": lambda *_, code=code: refusal(code) for code in (*codes.CODES, 77_777)},
    **{
        f"HTTP {status}": lambda *_, status=status: web.Response(status=status, headers={"Retry-After": "1"})
        for status in (302, 307, 308, 400, 401, 403, 408, 418, 425, 429, 500, 502, 503, 504)
    },
    "reset": _reset,
    "silence": lambda *_: asyncio.sleep(60),
    "garbage": lambda *_: web.Response(text="<html>"),
    "no order in it": lambda *_: {},
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_no_answer_of_any_kind_sends_an_order_or_a_cancel_again(answer: str) -> None:
    async with venue() as fake:
        books = Books(fake)
        broker = BitunixBroker(fake.rest_url, fake.ws_url, Credentials("key", "secret"), SetClock(), settings=QUICK)
        await broker.connect()  # a connection that is kept: an HTTP library may silently try again on one
        fake.answers |= dict.fromkeys(SENDS, ANSWERS[answer])
        fake.answers["/trade/get_order_detail"] = lambda *_: refusal(20007)
        try:
            assert await broker.submit(BUY, passes)
            assert books.posts("/trade/place_order") == 1
            await broker.cancel(STOP)
            assert books.posts("/trade/cancel_orders") == 1
        finally:
            await broker.close()
        assert sum(method == "POST" for method, _ in fake.calls) == 2


async def test_an_order_is_not_held_back_while_reads_rest(fake: FakeVenue, rest: Rest) -> None:
    fake.answers["/x"] = lambda *_: web.Response(status=429, headers={"Retry-After": "60"})
    with pytest.raises(errors.RateLimited):
        await rest.get("/x")
    fake.answers["/trade/place_order"] = lambda *_: "taken"
    assert await rest.post("/trade/place_order", {}) == "taken"
