"""No secret leaves in any spelling; what is no secret stays readable."""

import base64
import json
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.session.scrub import Scrubber, scrub_secrets
from engine.session.secret import Secret

CANARY = "cAnAry/9f+8e7d6c5b=4a"
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----"
scrubber = Scrubber([CANARY, Secret("s3cret-of-the-venue"), PEM])


@pytest.mark.parametrize(
    "spelled",
    [
        CANARY,
        quote(CANARY),
        quote(CANARY, safe=""),
        quote(CANARY, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d"),
        CANARY.encode().hex(),
        CANARY.encode().hex().upper(),
        base64.b64encode(CANARY.encode()).decode(),
        base64.urlsafe_b64encode(CANARY.encode()).decode().rstrip("="),
        json.dumps(CANARY),
        repr(CANARY.encode()),
        f"https://venue.example/order?x=1&k={quote(CANARY, safe='')}&y=2",
        f"cA\x1b[31m{CANARY[2:]}",
    ],
)
def test_a_known_secret_is_masked_in_every_spelling(spelled: str) -> None:
    shown = scrubber.text(f"the venue said {spelled} and hung up")
    assert "***" in shown
    assert CANARY[4:12] not in shown
    assert spelled not in shown
    assert shown.endswith("and hung up")


@pytest.mark.parametrize("before", ["", "k", "ke", "key", "user:"])
def test_a_secret_inside_a_longer_base64_is_masked(before: str) -> None:
    encoded = base64.b64encode(f"{before}{CANARY}:after".encode()).decode()
    shown = scrubber.text(encoded)
    assert "***" in shown
    kept = len(shown.replace("***", ""))
    assert kept <= len(encoded) - len(CANARY) * 8 // 6 + 1  # a character at each end also belongs to its neighbours


def test_each_line_of_a_key_file_is_masked() -> None:
    shown = scrubber.text(f"could not load {PEM.splitlines()[1]} nor {PEM}")
    assert "MIIEv" not in shown
    assert "AQEFA" not in shown


@given(st.text(min_size=8, max_size=40).filter(lambda s: s.strip() == s and "*" not in s), st.text(max_size=20))
def test_any_registered_secret_is_gone_from_any_text(secret: str, around: str) -> None:
    shown = Scrubber([secret]).text(f"{around} {secret} {around}")
    assert secret not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("apiKey=abc123&symbol=BTC", "apiKey=***&symbol=BTC"),
        ('{"api_key": "abc 123", "qty": "5"}', '{"api_key": "***", "qty": "5"}'),
        (
            "headers {'api-key': 'abc', 'sign': 'def', 'nonce': '1'}",
            "headers {'api-key': '***', 'sign': '***', 'nonce': '1'}",
        ),
        ("Authorization: Bearer abc.def-ghi", "Authorization: ***"),
        ("sent Bearer abcdefgh.12345 to it", "sent Bearer *** to it"),
        ("password = hunter2, then", "password = ***, then"),
        ("NIGHTDESK_BITUNIX_KEY=abcdef", "NIGHTDESK_BITUNIX_KEY=***"),
        ("NIGHTDESK_BITUNIX_SECRET: abcdef", "NIGHTDESK_BITUNIX_SECRET: ***"),
        ("wss://me:pw@host/path", "wss://***@host/path"),
        ("POST https://hooks.slack.com/services/T0/B1/abc failed", "POST https://hooks.slack.com/services/*** failed"),
        ("GET https://api.telegram.org/bot12345:ab-cd/send", "GET https://api.telegram.org/bot***"),
    ],
)
def test_what_goes_under_a_secrets_name_is_masked_unknown_as_it_is(text: str, shown: str) -> None:
    assert scrub_secrets(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "BTCUSDT bought 0.5 at 100.1 (entry, maker)",
        "signal: EXECUTED design=flat assigned: 3",
        "unknown config key: max_positon",
        "https://api.example/v1/klines?symbol=BTCUSDT&interval=1m",
        "INITIALIZING -> SEEDING_HISTORY",
        "5.2% >= 5%",
        "Basic training began",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub_secrets(text) == text


def test_structures_are_masked_by_name_and_by_value_at_any_depth() -> None:
    shown = scrub_secrets(
        {
            "venue": {"api_key": "abc", "secret": 12345, "url": f"https://x/{CANARY}"},
            "list": [CANARY, ("s3cret-of-the-venue", 5)],
            "has_token": True,
            "token": None,
            CANARY: 1,
            "seed": 7,
        },
        scrubber,
    )
    assert shown == {
        "venue": {"api_key": "***", "secret": "***", "url": "https://x/***"},
        "list": ["***", ["***", 5]],
        "has_token": True,
        "token": None,
        "***": 1,
        "seed": 7,
    }


def test_a_secret_number_is_masked_as_a_number_too() -> None:
    assert Scrubber(["48151623"]).value({"code": 48151623, "n": 1481516234}) == {"code": "***", "n": 1481516234}


def test_anything_becomes_plain_json() -> None:
    class Broken:
        def __str__(self) -> str:
            raise ValueError

    class Point(msgspec.Struct):
        x: int
        password: str

    deep: list[Any] = []
    for _ in range(50):
        deep = [deep]
    shown = scrub_secrets(
        {
            "nan": float("nan"),
            "inf": float("-inf"),
            "pi": 3.5,
            "error": ValueError("bad\x1b[2Jthing"),
            "broken": Broken(),
            "point": Point(1, "pw"),
            "set": {2, 1},
            "bytes": b"\xff",
            "secret object": Secret("abcdef"),
            "deep": deep,
        }
    )
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    assert shown["error"] == "ValueError: badthing"
    assert shown["broken"] == "<Broken that cannot be shown>"
    assert shown["point"] == {"x": 1, "password": "***"}
    assert shown["set"] == [1, 2]
    assert shown["nan"] == "nan"


def test_a_short_value_is_not_masked_everywhere() -> None:
    assert Scrubber(["1", "", "10012.3"]).text("1 of 21 at 10012.34") == "1 of 21 at 10012.34"


def test_a_secret_cut_by_the_length_limit_leaves_no_part_of_itself() -> None:
    shown = scrubber.text("x" * 95 + " " + CANARY, 100)
    assert "cAn" not in shown
    assert len(shown) <= 100


def test_a_huge_text_costs_little() -> None:
    assert len(scrubber.text("a" * 5_000_000 + "=")) == 2_000
