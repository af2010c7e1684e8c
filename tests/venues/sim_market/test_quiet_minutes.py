"""A recorded minute without a trade: flat if the market was merely quiet, a hole if the recording was interrupted."""

from pathlib import Path

from engine.core.config import MINUTE
from engine.core.events import Bar
from engine.venues.sim.recorded import RecordedMarket

START_MS = 1_767_225_600_000


def bars(folder: Path, minutes: list[int]) -> list[Bar]:
    path = folder / "ACMEUSD.csv"
    lines = [f"{START_MS + minute * 60_000},{100 + n},1,buy" for n, minute in enumerate(minutes)]
    path.write_text("\n".join(["ts_ms,price,size,side", *lines]) + "\n")
    market = RecordedMarket([path])
    return [event for chunk in market.events(market.start_ns) for event in chunk if isinstance(event, Bar)]


def test_a_quiet_minute_repeats_the_last_price_without_volume(tmp_path: Path) -> None:
    found = bars(tmp_path, [0, 3, 4])
    assert [(bar.start_ns // MINUTE) % 60 for bar in found] == [0, 1, 2, 3]
    assert [(bar.close, bar.volume) for bar in found[1:3]] == [(found[0].close, 0)] * 2


def test_a_long_silence_stays_a_hole(tmp_path: Path) -> None:
    assert [(bar.start_ns // MINUTE) % 60 for bar in bars(tmp_path, [0, 45, 46])] == [0, 45]
