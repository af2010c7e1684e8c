"""Four frames a second, urgent ones at once, none that the terminal cannot read."""

from console.frame import Pace, alarm_of
from tests.console import sample_desk as sample

MS = 1_000_000
BEAT = 125 * MS


def frames(pace: Pace, start: int, beats: int, *, urgent: bool = False, waiting: bool = False) -> int:
    return sum(pace.due(start + at * BEAT, urgent=urgent, waiting=waiting) for at in range(beats))


def test_calm_frames_come_four_times_a_second() -> None:
    assert frames(Pace(), 0, 80) == 40


def test_urgent_frames_come_at_once_but_at_most_ten_more_in_a_second() -> None:
    pace = Pace()
    assert pace.due(0, urgent=False, waiting=False)
    assert pace.due(1 * MS, urgent=True, waiting=False)
    assert 10 + 4 >= sum(pace.due(at * 10 * MS, urgent=True, waiting=False) for at in range(1, 101)) >= 10


def test_no_frame_is_drawn_while_output_waits() -> None:
    pace = Pace()
    assert frames(pace, 0, 200, urgent=True, waiting=True) == 0
    assert pace.due(200 * BEAT, urgent=False, waiting=False)


def test_a_slow_terminal_gets_one_frame_a_second_until_it_keeps_up() -> None:
    pace = Pace()
    frames(pace, 0, 3, waiting=True)
    assert frames(pace, 10 * BEAT, 64) == 8
    assert frames(pace, 80 * BEAT, 24) > 3
    assert frames(pace, 200 * BEAT, 80) == 40


def test_an_alarm_is_what_must_be_seen_at_once() -> None:
    assert alarm_of(None) == ()
    calm = alarm_of(sample.BUSY)
    assert alarm_of(sample.changed(sample.BUSY, equity=1)) == calm
    assert alarm_of(sample.BLOCKED) != calm
    assert alarm_of(sample.changed(sample.BUSY, kill_latched=True)) != calm
    assert alarm_of(sample.changed(sample.BUSY, breakers=sample.BLOCKED.breakers)) != calm
