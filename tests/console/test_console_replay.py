"""Where a replay stands, in lines: nothing of it may be missed, whatever the width."""

from typing import Any

import msgspec
import pytest

from console.board import plain
from console.page import desk_page
from console.panels.replay import replay_lines
from console.seat import Seat
from console.text import Seen, width_of
from tests.console import sample_desk as sample


def lines(width: int = 100, **changes: Any) -> str:
    replay = msgspec.structs.replace(sample.REPLAY, **changes)
    return plain(replay_lines(sample.changed(sample.BUSY, replay=replay), replay, width))


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 240])
def test_motion_and_place_are_shown_at_every_width(width: int) -> None:
    shown = replay_lines(sample.BUSY, sample.REPLAY, width)
    assert all(width_of(line) <= width for line in shown)
    first = plain(shown[:1])
    assert " > PLAYING 60x" in first and "event 12,345 of 2,600,000" in first and "0 %" in first


def test_each_motion_has_its_word() -> None:
    assert " || PAUSED 60x" in lines(playing=False)
    assert " > PLAYING max" in lines(speed=0)
    assert " ~ SEEKING event 2,000,000" in lines(goal=2_000_000)


def test_the_day_is_said_because_the_status_line_says_the_time_alone() -> None:
    assert "2026-01-05" in lines()


def test_another_story_than_the_recorded_one_is_an_alarm() -> None:
    told = " ".join(lines(differs=777).split())
    assert "x This program decides otherwise than the record from event 777 on" in told
    assert "otherwise" not in lines()


def test_a_text_from_the_record_is_cleaned_and_bounded() -> None:
    shown = lines(text="\x1b[2J[red]" + "long " * 200)
    assert "\x1b" not in shown and len(shown.splitlines()) == 3


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (160, 48), (40, 10)])
def test_every_page_begins_with_the_badge(width: int, height: int) -> None:
    view = sample.changed(sample.BUSY, replay=sample.REPLAY)
    page = desk_page(Seen(view, seat=Seat.REPLAY), width, height)
    assert plain(page).startswith(" REPLAY  of paper")


def test_what_was_not_recorded_is_not_shown_as_if_all_were_well() -> None:
    view = sample.changed(sample.BUSY, replay=sample.REPLAY, heartbeat=sample.EMPTY.heartbeat)
    shown = plain(desk_page(Seen(view, seat=Seat.REPLAY), 120, 40))
    assert "Heartbeat" in shown and "not recorded" in shown
    for words in ("loop lag", "beats", "commit", "memory", "no beat yet"):
        assert words not in shown
