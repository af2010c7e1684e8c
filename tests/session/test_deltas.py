"""Views by their changes: whoever follows them sees every view as it was, at a fraction of its size."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.travel.moves import Move
from console.travel.player import Player
from engine.core.view import DeskView, NoteView, ReplayView
from engine.session.deltas import FRONT_MAX, Follower, change_of
from engine.strategies import make_all
from tests.console.recorded import PlainRun, events
from tests.session.desk_double import NOW_NS, a_view, killed

Raw = msgspec.Raw


def sent(value: Any) -> msgspec.Raw:
    return Raw(msgspec.json.encode(value))


def notes(*numbers: int) -> tuple[NoteView, ...]:
    return tuple(NoteView(number, NOW_NS, "info", "fill", f"note {number}") for number in numbers)


def followed(views: Sequence[DeskView]) -> list[int]:
    """Follow `views` by their changes, each as it was; the bytes of each change."""
    follower = Follower(sent(views[0]))
    assert follower.view() == views[0]
    sizes = []
    for before, after in pairwise(views):
        change = sent(change_of(before, after))
        assert follower.follow(change) == after
        sizes.append(len(change))
    return sizes


def small(**changes: Any) -> int:
    """The size of the change to a view that shows `changes`."""
    return followed([a_view(), a_view(**changes)])[0]


def test_only_what_changed_is_sent() -> None:
    assert small(equity=1) == len('{"~":{"equity":1}}')
    assert small(phase_text="seeding", trades=4) < 60
    assert small(at_ns=NOW_NS + 250_000_000) == len('{"~":{"at_ns":[250000000]}}')
    assert small(signals=a_view().signals | {"EXECUTED": 4}) == len('{"~":{"signals":{"~":{"EXECUTED":4}}}}')


def test_a_field_of_one_item_is_sent_alone() -> None:
    (feed,) = a_view().feeds
    many = tuple(msgspec.structs.replace(feed, symbol=f"S{at}") for at in range(10))
    moved = (*many[:3], msgspec.structs.replace(many[3], bid=7), *many[4:])
    (size,) = followed([a_view(feeds=many), a_view(feeds=moved)])
    assert size == len('{"~":{"feeds":{"~":{"3":{"~":{"bid":7}}}}}}')


def test_a_line_at_the_front_of_a_list_is_sent_alone() -> None:
    before, after = notes(*range(60, 0, -1)), notes(*range(62, 2, -1))
    (size,) = followed([a_view(notes=before), a_view(notes=after)])
    assert size < 3 * len(sent(before[0]))


CHANGES: dict[str, tuple[DeskView, DeskView]] = {
    "a struct that was none": (a_view(), a_view(replay=ReplayView(1, 2, 3, 4))),
    "a struct that is none now": (a_view(replay=ReplayView(1, 2, 3, 4)), a_view()),
    "a map with another key": (a_view(signals={"a": 1}), a_view(signals={"b": 1})),
    "a map whose keys look like changes": (a_view(signals={"a": 1}), a_view(signals={"~": 1, "=": 2, "+": 3})),
    "such keys, changed": (a_view(signals={"~": 1, "=": 2, "n": 3}), a_view(signals={"~": 1, "=": 5, "n": 4})),
    "a list that was empty": (a_view(notes=()), a_view(notes=notes(2, 1))),
    "a list that is empty now": (a_view(notes=notes(2, 1)), a_view(notes=())),
    "an item at the end": (a_view(notes=notes(2, 1)), a_view(notes=notes(2, 1, 0))),
    "an item less": (a_view(notes=notes(3, 2, 1)), a_view(notes=notes(3, 2))),
    "the first item gone": (a_view(notes=notes(3, 2, 1)), a_view(notes=notes(2, 1))),
    "items in front and fewer in all": (a_view(notes=notes(5, 4, 3, 2, 1)), a_view(notes=notes(6, 5, 4))),
    "items in front and more in all": (a_view(notes=notes(2, 1)), a_view(notes=notes(4, 3, 2, 1))),
    "items in front and at the end": (a_view(notes=notes(2, 1)), a_view(notes=notes(3, 2, 1, 0))),
    "too many in front": (a_view(notes=notes(1)), a_view(notes=notes(*range(FRONT_MAX + 2, 0, -1)))),
    "items in front and one changed": (a_view(notes=notes(3, 2, 1)), a_view(notes=notes(4, 3, 9, 1))),
    "all items changed": (a_view(notes=notes(3, 2, 1)), a_view(notes=notes(9, 8, 7))),
    "another desk": (a_view(), killed(run_id="another", positions=(), feeds=())),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_kind_of_change_arrives(change: str) -> None:
    followed(CHANGES[change])


ITEMS = st.lists(st.integers(0, 5), max_size=8)


@given(st.lists(ITEMS, min_size=2, max_size=6), st.data())
def test_any_views_are_followed(lists: list[list[int]], data: st.DataObject) -> None:
    followed(
        [
            a_view(
                notes=notes(*numbers),
                equity_curve=tuple(numbers),
                equity=sum(numbers),
                signals=dict(zip("abcdefgh", numbers, strict=False)),
            )
            for numbers in lists
        ]
    )


def test_a_change_that_does_not_belong_to_the_view_is_refused() -> None:
    for change in ({"~": {"nothing": 1}}, {"~": {"feeds": {"~": {"9": {"~": {"bid": 1}}}}}}, {"~": {"equity": "x"}}, 7):
        with pytest.raises(ValueError, match="does not belong"):
            Follower(sent(a_view())).follow(sent(change))


def test_a_desk_that_trades_is_followed_event_by_event() -> None:
    player = Player(PlainRun(events()), make_all, lambda: 0)
    views = []
    for _ in range(60):
        player.move(Move.STEP)
        while player.turn():
            pass
        views.append(player.view)
    sizes = followed(views)
    assert len({view.trades for view in views}) > 2 and len({view.orders for view in views}) > 5
    assert sum(sizes) / len(sizes) < len(sent(views[-1])) / 5
