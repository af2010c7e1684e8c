"""Silence is measured from the last content, and said once."""

from engine.core.config import SECOND
from engine.core.events import FeedChanged, FeedHealth
from engine.venues.bitunix.health import WHOLE, Watch


def watch() -> Watch:
    one = Watch(["BTCUSDT", "ETHUSDT"], 15.0)
    one.start(100.0)
    return one


def test_fourteen_seconds_of_silence_are_nothing_and_fifteen_are_stale() -> None:
    one = watch()
    one.heard("BTCUSDT", 100.0, 1)
    assert one.tick(114.9, 2) == []
    stale = one.tick(115.0, 3)
    assert {change.symbol for change in stale} == {WHOLE, "BTCUSDT", "ETHUSDT"}
    assert stale[0] == FeedChanged(WHOLE, 3, FeedHealth.STALE, 15 * SECOND, "no message for 15 s")
    assert one.tick(116.0, 4) == []


def test_a_feed_that_never_says_anything_is_stale_too() -> None:
    assert len(watch().tick(115.0, 0)) == 3


def test_data_of_one_symbol_leaves_the_other_stale() -> None:
    one = watch()
    one.tick(115.0, 1)
    assert [change.symbol for change in one.heard("BTCUSDT", 116.0, 2)] == [WHOLE, "BTCUSDT"]
    assert one.heard("BTCUSDT", 117.0, 3) == []
    assert one.silence_s("ETHUSDT", 117.0) == 17.0


def test_a_lost_connection_is_down_and_then_stale_and_never_less() -> None:
    one = watch()
    one.heard("BTCUSDT", 100.0, 1)
    assert [change.health for change in one.down([WHOLE, "BTCUSDT"], 101.0, 2, "reset")] == [FeedHealth.DOWN] * 2
    assert one.down([WHOLE], 102.0, 3, "reset") == []
    assert len(one.tick(115.0, 4)) == 3
    assert one.down([WHOLE], 116.0, 5, "reset") == []
    (whole, symbol) = one.heard("BTCUSDT", 120.0, 6)
    assert whole.health is symbol.health is FeedHealth.LIVE
    assert whole.detail == "data again after 20.0 s"
