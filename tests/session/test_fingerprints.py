"""Errors that are the same get the same fingerprint, and no others."""

import pytest

from engine.session.fingerprints import LENGTH_MAX, fingerprint
from engine.venues.errors import NotSent, VenueError
from engine.venues.fuse import FuseOpen


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("the loop was 5.3 s late", "the loop was # s late"),
        ("order 20261121-070822-14-2 has gone", "order @ has gone"),
        ("run 20261121-070822b", "run @"),
        ("http://127.0.0.1:41837/api/v1: no connection", "http://#/api/v1: no connection"),
        ("head 5f1c09aa77de", "head @"),
        ("at 0x7f47d9ccf810", "at @"),
        ("net -1,204.50 below zero", "net # below zero"),
        ("accessed deadbeef", "accessed deadbeef"),  # a word, not an id
        ("BTCUSDT: no bars", "BTCUSDT: no bars"),
        ("two\nlines \x1b[31mred", "two lines red"),
    ],
)
def test_ids_and_numbers_make_no_difference(text: str, normalised: str) -> None:
    assert fingerprint("feed", text) == f"error at feed: {normalised}"


def test_class_and_place_make_a_difference() -> None:
    told = {
        fingerprint("feed", "x"),
        fingerprint("broker", "x"),
        fingerprint("feed", "x", ValueError()),
        fingerprint("feed", "x", NotSent("x")),
    }
    assert told == {"error at feed: x", "error at broker: x", "ValueError at feed: x", "not sent at feed: x"}


def test_a_venues_error_has_the_class_of_the_table() -> None:
    assert fingerprint("feed", "x", FuseOpen("x")).startswith("rate-limited at ")
    assert fingerprint("feed", "x", VenueError("x")).startswith("unknown outcome at ")


def test_a_long_text_is_cut() -> None:
    assert len(fingerprint("feed", "word " * 100)) == LENGTH_MAX
