"""The log page: the newest line first, by level and words, each record whole when it is opened."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from console.pages.log import LogPage
from console.text import width_of
from engine.session.home import Home
from tests.console.small_books import RUN, Sitting


def record(number: int, level: str = "INFO", **meta: Any) -> str:
    stamp = f"2026-01-05T12:{number // 60:02d}:{number % 60:02d}.000001Z"
    told = {"timestamp": stamp, "level": level, "component": "feed", "message": f"line {number}", "meta": meta}
    return json.dumps(told) + "\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.at(tmp_path, "paper")
    home.create()
    level = {7: "WARNING", 8: "ERROR"}
    trace = ["Traceback (most recent call last):", '  File "x.py", line 1', "ValueError: no"]
    lines = [record(n, level.get(n % 10, "INFO"), mode="PAPER", exception=trace) for n in range(1000)]
    home.system_log.write_text("".join(lines))
    home.run(RUN).path.mkdir(parents=True)
    home.run(RUN).session_log.write_text("2026-01-05 12:03:07Z WARNING block: operator blocked: lunch\n")
    return home


def rows(shown: str) -> list[int]:
    return [int(found) for found in re.findall(r"line (\d+)$", shown, re.MULTILINE)]


async def test_the_newest_lines_come_first_and_what_is_written_appears(home: Home) -> None:
    sitting = Sitting(LogPage(), home)
    assert rows(await sitting.look())[:3] == [999, 998, 997]
    with home.system_log.open("a") as file:
        file.write(record(1000))
    assert rows(await sitting.look(seconds=1))[:2] == [1000, 999]
    for _ in range(8):
        await sitting.press("end")
    assert rows(await sitting.press("end"))[-1] == 0


async def test_l_keeps_what_is_of_a_level_and_above(home: Home) -> None:
    sitting = Sitting(LogPage(), home)
    await sitting.look()
    await sitting.press("l")
    shown = await sitting.press("l")
    assert rows(shown)[:4] == [998, 997, 988, 987] and "warnings and errors" in shown
    assert "! warning" in shown and "x error" in shown
    assert rows(await sitting.press("l"))[:2] == [998, 988]
    assert rows(await sitting.press("l"))[:2] == [999, 998]


async def test_the_beats_of_every_second_are_shown_only_when_asked_for(home: Home) -> None:
    with home.system_log.open("a") as file:
        file.writelines(record(n).replace(f"line {n}", "EVENT: AsyncHeartbeat") for n in range(1000, 1900))
    sitting = Sitting(LogPage(), home)
    shown = await sitting.look()
    assert rows(shown)[:1] == [999] and "all but heartbeats" in shown
    assert "EVENT: AsyncHeartbeat" in await sitting.press("l")
    sitting = Sitting(LogPage(), home)
    await sitting.look()
    assert "EVENT: AsyncHeartbeat" in await sitting.press("slash", *"heartbeat", "enter")


async def test_a_filter_finds_what_was_never_scrolled_to(home: Home) -> None:
    sitting = Sitting(LogPage(), home)
    await sitting.look()
    assert rows(await sitting.press("slash", *"LINE 12:01:12", "enter")) == [72]
    assert rows(await sitting.press("escape"))[0] == 999
    assert rows(await sitting.press("slash", *"!12:16 line", "enter"))[0] == 959
    assert rows(await sitting.press("escape"))[0] == 999
    assert "no lines with 'zzz'" in await sitting.press("slash", *"zzz")


async def test_a_record_opens_whole_with_its_exception_line_by_line(home: Home) -> None:
    sitting = Sitting(LogPage(), home)
    await sitting.look()
    shown = await sitting.press("down", "enter")
    assert "2026-01-05 12:16:38.000001" in shown and "line 998" in shown and "x error" in shown
    assert re.search(r"^exception +Traceback", shown, re.MULTILINE) and re.search(r"^ +ValueError: no$", shown, re.M)
    assert rows(await sitting.press("escape"))[:2] == [999, 998]


async def test_tab_turns_to_what_was_told_of_this_run(home: Home) -> None:
    sitting = Sitting(LogPage(), home)
    await sitting.look()
    shown = await sitting.press("tab")
    assert "[This run]" in shown and "operator blocked: lunch" in shown and "! warning" in shown
    assert rows(await sitting.press("tab"))[0] == 999


async def test_without_a_log_it_says_so(home: Home) -> None:
    home.system_log.unlink()
    assert "no lines yet" in await Sitting(LogPage(), home).look()


async def test_a_page_that_is_left_keeps_nothing(home: Home) -> None:
    sitting = Sitting(LogPage(), home, size=(80, 18))
    first = await sitting.look()
    sitting.page.leave()
    assert "reading the lines" in "".join(span.text for line in sitting.draw() for span in line)
    assert await sitting.look() == first
    assert max(map(width_of, sitting.draw())) <= 80
