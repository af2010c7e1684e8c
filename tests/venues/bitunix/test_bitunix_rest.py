"""Calls: signed as the vendor signs, paced, timed, and every failure one typed error."""

import asyncio
import json
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from engine.core.config import HOUR, MINUTE, SECOND
from engine.core.events import DataRejected
from engine.core.money import parse
from engine.venues import errors
from engine.venues.bitunix.history import History, coin_volume
from engine.venues.bitunix.offset import ClockOffset
from engine.venues.bitunix.pace import Pace
from engine.venues.bitunix.rest import LiveForbidden, LiveToken, Rest, is_loopback
from engine.venues.bitunix.signing import Credentials, glued, new_nonce, sign
from engine.venues.bitunix.wire import KLINE_ROW, KlineRow
from engine.venues.fuse import Fuse, FuseOpen, FuseState
from tests.venues.bitunix.fakevenue import MS, T0_NS, FakeVenue, SetClock, history_of, row, venue

KEYS = Credentials("key", "secret")


@pytest.fixture
async def fake() -> AsyncIterator[FakeVenue]:
    async with venue() as one:
        yield one


@pytest.fixture
async def rest(fake: FakeVenue) -> AsyncIterator[Rest]:
    client = Rest(fake.rest_url, SetClock(), credentials=KEYS, timeout_s=0.3)
    yield client
    await client.close()


def test_the_published_signature_is_reproduced() -> None:
    keys = Credentials("1" * 17, "2" * 17)
    made = sign(keys, "3" * 17, 1747104711262, glued({"marginCoin": "USDT"})).sign
    assert made.startswith("40e87256") and made.endswith("f922")


def test_query_parameters_are_signed_sorted_and_glued() -> None:
    assert glued({"symbol": "BTCUSDT", "limit": "5"}) == "limit5symbolBTCUSDT"


def test_nonces_are_32_characters_and_never_the_same() -> None:
    assert len({new_nonce() for _ in range(100)}) == 100
    assert len(new_nonce()) == 32


def test_credentials_do_not_show_themselves() -> None:
    assert "secret" not in repr(Credentials("key", "my-secret")).removeprefix("Credentials(api_key=***, secret=***)")
    assert "my-secret" not in f"{Credentials('key', 'my-secret')}"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        *((code, errors.UnknownOutcome) for code in (1, 10001, 77777)),
        *((code, errors.RateLimited) for code in (10005, 10006)),
        *((code, errors.AuthFailed) for code in (10003, 10004, 10007, 20011)),
        *((code, errors.InsufficientMargin) for code in (20003, 20008, 20002, 30001)),
        *((code, errors.RuleRefused) for code in (10002, 10008, 20001, 20012, 30013, 30016, 30019, 30039, 404)),
        (20015, errors.VenueClosed),
        (30042, errors.DuplicateClientId),
        (20007, errors.OrderNotFound),
    ],
)
async def test_every_code_has_its_class(fake: FakeVenue, rest: Rest, code: int, error: type[errors.VenueError]) -> None:
    fake.answers["/x"] = lambda *_: web.json_response({"code": code, "data": None, "msg": "no \x1b[31mway"})
    with pytest.raises(errors.VenueError) as raised:
        await rest.get("/x")
    assert type(raised.value) is error
    assert raised.value.code == code
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, errors.UnknownOutcome),
        (502, errors.UnknownOutcome),
        (504, errors.UnknownOutcome),
        (302, errors.UnknownOutcome),
        (401, errors.AuthFailed),
        (403, errors.AuthFailed),
        (429, errors.RateLimited),
        (418, errors.RateLimited),
        (400, errors.RuleRefused),
    ],
)
async def test_every_status_has_its_class(
    fake: FakeVenue, rest: Rest, status: int, error: type[errors.VenueError]
) -> None:
    fake.answers["/x"] = lambda *_: web.Response(status=status, text="why", headers={"Retry-After": "7"})
    with pytest.raises(error) as raised:
        await rest.get("/x")
    if isinstance(raised.value, errors.RateLimited):
        assert raised.value.retry_after_s == 7.0


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"code":"?"}', '{"data":1}'])
async def test_an_unreadable_reply_is_an_unknown_outcome(fake: FakeVenue, rest: Rest, body: str) -> None:
    """FN-14."""
    fake.answers["/x"] = lambda *_: web.Response(text=body)
    with pytest.raises(errors.UnknownOutcome):
        await rest.get("/x")


async def test_a_hanging_venue_is_an_unknown_outcome_after_the_timeout(fake: FakeVenue, rest: Rest) -> None:
    fake.answers["/x"] = lambda *_: asyncio.sleep(60)
    with pytest.raises(errors.UnknownOutcome, match=r"no answer within 0\.3 s"):
        await rest.get("/x")


async def test_a_reset_after_the_request_is_an_unknown_outcome(fake: FakeVenue, rest: Rest) -> None:
    """FN-02."""

    def reset(request: web.Request, _body: bytes) -> Any:
        assert request.transport is not None
        request.transport.abort()
        return None

    fake.answers["/x"] = reset
    with pytest.raises(errors.UnknownOutcome, match="connection lost"):
        await rest.post("/x", {})
    assert fake.calls == [("POST", "/x")]


async def test_a_refused_connection_is_not_sent() -> None:
    async with venue() as gone:
        pass
    rest = Rest(gone.rest_url, SetClock())
    with pytest.raises(errors.NotSent):
        await rest.get("/x")
    await rest.close()


async def test_only_what_passes_is_read_again_and_only_as_often_as_asked(fake: FakeVenue, rest: Rest) -> None:
    answers: list[Any] = [web.Response(status=503), web.json_response({"code": 10005, "data": None, "msg": ""}), 42]
    fake.answers["/x"] = lambda *_: answers.pop(0)
    assert await rest.get("/x", attempts=3) == 42
    fake.answers["/x"] = lambda *_: web.json_response({"code": 20001, "data": None, "msg": ""})
    fake.calls.clear()
    with pytest.raises(errors.RuleRefused):
        await rest.get("/x", attempts=3)
    assert len(fake.calls) == 1


async def test_the_venues_wish_to_wait_is_honoured(fake: FakeVenue, rest: Rest) -> None:
    answers: list[Any] = [web.Response(status=429, headers={"Retry-After": "1"}), 42]
    fake.answers["/x"] = lambda *_: answers.pop(0)
    began_s = asyncio.get_running_loop().time()
    assert await rest.get("/x", attempts=2) == 42
    assert asyncio.get_running_loop().time() - began_s >= 1.0


async def test_a_signed_call_carries_what_its_signature_covers(fake: FakeVenue, rest: Rest) -> None:
    fake.answers["/x"] = lambda *_: None
    await rest.post("/x", {"b": 1, "a": "ü"})
    await rest.get("/x", {"z": "1", "a": "x y"}, signed=True)
    for (request, body), query in zip(fake.requests, ["", "ax yz1"], strict=True):
        headers = request.headers
        expected = sign(KEYS, headers["nonce"], int(headers["timestamp"]), query, body.decode())
        assert headers["sign"] == expected.sign
        assert headers["api-key"] == "key"
    assert json.loads(fake.requests[0][1]) == {"b": 1, "a": "ü"}


async def test_an_unsigned_call_shows_no_key(fake: FakeVenue, rest: Rest) -> None:
    fake.answers["/x"] = lambda *_: None
    await rest.get("/x")
    assert not {"api-key", "sign", "nonce"} & {name.lower() for name in fake.requests[0][0].headers}


async def test_a_refused_signature_of_a_venue_whose_clock_is_elsewhere_is_clock_skew(
    fake: FakeVenue, rest: Rest
) -> None:
    reply = json.dumps({"code": 10007, "data": None, "msg": "Sign error"})
    date = formatdate(T0_NS // SECOND + 30, usegmt=True)
    fake.answers["/x"] = lambda *_: web.Response(text=reply, headers={"Date": date})
    with pytest.raises(errors.ClockSkew, match=r"\+\d+\.\d s"):
        await rest.get("/x", signed=True)
    fake.answers["/x"] = lambda *_: web.Response(text='{"code":0,"data":1}', headers={"Date": date})
    await rest.get("/x", signed=True)
    assert int(fake.requests[-1][0].headers["timestamp"]) >= (T0_NS + 29 * SECOND) // MS


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:80", True),
        ("ws://[::1]:80", True),
        ("http://localhost:1", True),
        ("https://fapi.bitunix.com", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1@example.com", False),
        ("http://10.0.0.1", False),
        ("nonsense", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


def test_without_the_live_token_no_client_with_credentials_reaches_another_host() -> None:
    with pytest.raises(LiveForbidden):
        Rest("https://fapi.bitunix.com", SetClock(), credentials=KEYS)
    Rest("https://fapi.bitunix.com", SetClock())
    Rest("https://fapi.bitunix.com", SetClock(), credentials=KEYS, live=LiveToken("account", "run"))


def test_the_simulated_venues_key_goes_nowhere_else_even_with_the_token() -> None:
    with pytest.raises(LiveForbidden):
        Rest(
            "https://fapi.bitunix.com",
            SetClock(),
            credentials=Credentials("nightdesk-sim", "x"),
            live=LiveToken("account", "run"),
        )


async def test_calls_go_together_up_to_the_limit_and_never_beyond_it_in_any_second() -> None:
    pace, loop = Pace.of(50.0), asyncio.get_running_loop()
    taken: list[float] = []

    async def call() -> None:
        await pace.take()
        taken.append(loop.time())

    await asyncio.gather(*(call() for _ in range(60)))
    for since in taken:
        assert sum(since <= at < since + 1.0 for at in taken) <= 50
    assert taken[50] - taken[0] >= 1 / 0.7
    assert taken[49] - taken[0] < taken[50] - taken[0] - 0.5, "the first fifty did not wait for each other"


@given(st.integers(-(10**11), 10**11), st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 10**9)), max_size=20))
def test_the_offset_interval_always_holds_the_true_offset(true_ns: int, calls: list[tuple[int, int]]) -> None:
    """FV-12."""
    offset = ClockOffset()
    for at_ns, took_ns in calls:
        sent = T0_NS + at_ns
        assert offset.observe(formatdate((sent + took_ns // 2 + true_ns) // SECOND, usegmt=True), sent, sent + took_ns)
        assert offset.low_ns <= true_ns <= offset.high_ns
        assert offset.bound_ns <= 2 * SECOND
    assert abs(offset.correction_ns) <= abs(true_ns)


@pytest.mark.parametrize("ppm", [100, -100])
@pytest.mark.parametrize("every_ns", [MINUTE, HOUR])
def test_an_offset_that_drifts_for_three_days_is_tracked_and_never_lost(ppm: int, every_ns: int) -> None:
    """FT-02."""
    offset, took_ns, count = ClockOffset(), 80 * MS, 72 * HOUR // every_ns
    for n in range(count):
        sent = T0_NS + n * every_ns + n * 7_919 % 1_000 * MS  # at any moment of its second
        true_ns = (sent - T0_NS) * ppm // 1_000_000
        offset.observe(formatdate((sent + took_ns // 2 + true_ns) // SECOND, usegmt=True), sent, sent + took_ns)
        assert offset.low_ns <= true_ns <= offset.high_ns
        assert abs(offset.correction_ns - true_ns) <= SECOND + took_ns
    assert offset.samples == count, "no reply contradicted those before it"
    assert abs(offset.correction_ns) > 24 * SECOND


def test_a_date_that_cannot_be_read_changes_nothing() -> None:
    offset = ClockOffset()
    assert not any(offset.observe(date, 0, 1) for date in ("", "soon", "Wed, 99 Foo 2026"))
    assert offset.samples == offset.correction_ns == 0


def test_a_stepped_clock_starts_the_estimate_anew() -> None:
    """FT-01."""
    offset = ClockOffset()
    for seconds in (0, 0, 100):
        offset.observe(formatdate(T0_NS // SECOND + seconds, usegmt=True), T0_NS, T0_NS)
    assert offset.samples == 1
    assert offset.correction_ns == 100 * SECOND


# --- candles ---


def candle(base: str, quote: str, close: str = "65760") -> KlineRow:
    figures = {"open": close, "high": close, "low": close, "close": close, "time": 0}
    return KLINE_ROW.validate_python({**figures, "baseVol": base, "quoteVol": quote})


@pytest.mark.parametrize(
    ("row", "coins"),
    [
        (candle(base="60004403.5", quote="912"), "912"),  # the wire's way
        (candle(base="912", quote="60004403.5"), "912"),  # the documentation's way
        (candle(base="500", quote="1000000", close="0.0005"), "1000000"),
        (candle(base="1000000", quote="500", close="0.0005"), "1000000"),
        (candle(base="0", quote="0"), "0"),
    ],
)
def test_the_coin_volume_is_the_one_whose_value_is_the_other(row: KlineRow, coins: str) -> None:
    assert coin_volume(row) == parse(coins)


async def test_history_comes_oldest_first_in_pages_of_200_without_the_open_candle(fake: FakeVenue) -> None:
    fake.answers["/market/kline"] = history_of(range(-500, 1))
    rest = Rest(fake.rest_url, SetClock(T0_NS + 30 * SECOND))
    history = History(rest, SetClock(T0_NS + 30 * SECOND), replay=False)
    bars = await history.newest("BTCUSDT", MINUTE, 450)
    assert [(bar.start_ns - T0_NS) // MINUTE for bar in bars] == list(range(-450, 0))
    assert all(bar.backfilled and bar.volume == parse("5") for bar in bars)
    limits = [int(request.query["limit"]) for request, _ in fake.requests]
    assert max(limits) <= 200 and len(limits) == 3
    assert "endTime" not in fake.requests[0][0].query
    await rest.close()


async def test_history_ends_where_the_venues_does(fake: FakeVenue) -> None:
    fake.answers["/market/kline"] = history_of(range(-3, 0))
    rest = Rest(fake.rest_url, SetClock())
    bars = await History(rest, SetClock(T0_NS + 2 * SECOND), replay=False).newest("BTCUSDT", MINUTE, 100)
    assert len(bars) == 3
    await rest.close()


async def test_a_candle_that_has_only_just_ended_is_not_yet_taken_for_closed(fake: FakeVenue) -> None:
    fake.answers["/market/kline"] = history_of(range(-3, 0))
    rest = Rest(fake.rest_url, SetClock())
    bars = await History(rest, SetClock(T0_NS + SECOND // 2), replay=False).newest("BTCUSDT", MINUTE, 100)
    assert [(bar.start_ns - T0_NS) // MINUTE for bar in bars] == [-3, -2]
    await rest.close()


async def test_rows_that_cannot_be_right_are_refused_and_counted(fake: FakeVenue) -> None:
    bad: list[Any] = [
        row(-2) | {"high": "1"},
        row(-3) | {"low": "0"},
        row(-4) | {"close": "NaN"},
        row(-5) | {"time": str((T0_NS - 5 * MINUTE) // MS + 1)},
        row(-6) | {"time": "1600000000000"},
        row(-7) | {"baseVol": "-1"},
        "no row",
    ]
    fake.answers["/market/kline"] = lambda request, _: [] if "endTime" in request.query else [row(-1), *bad]
    refused: list[DataRejected] = []
    rest = Rest(fake.rest_url, SetClock())
    clock = SetClock(T0_NS + 2 * SECOND)
    bars = await History(rest, clock, replay=False, on_rejected=refused.append).newest("BTCUSDT", MINUTE, 9)
    assert [(bar.start_ns - T0_NS) // MINUTE for bar in bars] == [-1]
    assert len(refused) == len(bad)
    await rest.close()


async def test_a_span_the_venue_does_not_offer_is_refused(fake: FakeVenue, rest: Rest) -> None:
    with pytest.raises(errors.RuleRefused):
        await History(rest, SetClock(), replay=False).newest("BTCUSDT", 7 * HOUR, 1)
    assert not fake.calls


# --- the fuse before reads ---


class Failing:
    """A path that answers with a 500 until told otherwise."""

    def __init__(self, fake: FakeVenue, path: str) -> None:
        self.calls, self.works = 0, False
        fake.answers[path] = self._answer

    def _answer(self, *_: Any) -> web.Response:
        self.calls += 1
        return web.json_response({"code": 0, "data": {}}) if self.works else web.Response(status=500)


@pytest.fixture
async def fused(fake: FakeVenue) -> AsyncIterator[tuple[Rest, list[float]]]:
    """A client whose fuse lives on a clock of its own: a list with the seconds in it."""
    now_s = [0.0]
    client = Rest(fake.rest_url, SetClock(), credentials=KEYS, timeout_s=0.3, fuse=Fuse(lambda: now_s[0]))
    yield client, now_s
    await client.close()


async def fails(call: Any, error: type[errors.VenueError]) -> None:
    with pytest.raises(error) as raised:
        await call
    assert type(raised.value) is error


async def test_after_three_failures_reads_are_held_back_for_a_minute(
    fake: FakeVenue, fused: tuple[Rest, list[float]]
) -> None:
    (rest, now_s), path = fused, Failing(fake, "/x")
    for _ in range(3):
        await fails(rest.get("/x"), errors.UnknownOutcome)
    await fails(rest.get("/x", attempts=3), FuseOpen)
    assert path.calls == 3, "an open fuse is not waited out within a call"
    now_s[0] = 60.0
    await fails(rest.get("/x"), errors.UnknownOutcome)
    await fails(rest.get("/x"), FuseOpen)
    now_s[0], path.works = 120.0, True
    assert await rest.get("/x") == {}
    assert rest.fuse.state is FuseState.CLOSED


async def test_orders_cancels_and_evidence_are_never_held_back(
    fake: FakeVenue, fused: tuple[Rest, list[float]]
) -> None:
    """FN-13."""
    (rest, _), path = fused, Failing(fake, "/x")
    for _ in range(3):
        await fails(rest.get("/x"), errors.UnknownOutcome)
    path.works = True
    assert await rest.post("/x", {}) == {}
    assert await rest.get("/x", is_evidence=True) == {}
    assert rest.fuse.state is FuseState.CLOSED, "and evidence that the venue answers closes the fuse"


async def test_failing_orders_do_not_open_the_fuse_and_a_definite_no_is_an_answer(
    fake: FakeVenue, fused: tuple[Rest, list[float]]
) -> None:
    (rest, _), _ = fused, Failing(fake, "/x")
    for _ in range(5):
        await fails(rest.post("/x", {}), errors.UnknownOutcome)
    fake.answers["/no"] = lambda *_: web.json_response({"code": 10002, "data": None, "msg": "no"})
    for _ in range(2):
        await fails(rest.get("/x"), errors.UnknownOutcome)
        await fails(rest.get("/no"), errors.RuleRefused)
        await fails(rest.get("/x"), errors.UnknownOutcome)
    assert rest.fuse.state is FuseState.CLOSED
