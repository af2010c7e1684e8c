"""The whole page as text: right at every size, whatever the desk holds."""

import re
import unicodedata

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.board import plain
from console.page import desk_page
from console.pages.desk import Panel, allot
from console.panels import heat
from console.screens.help import help_page
from console.seat import Seat
from console.text import Line, Seen, Span, Tone, width_of
from engine.core.events import SessionPhase
from engine.core.view import DeskView
from tests.console import sample_desk as sample

VIEWS = {"busy": sample.BUSY, "empty": sample.EMPTY, "blocked": sample.BLOCKED, "killed": sample.KILLED}
SIZES = ((80, 24), (100, 30), (120, 40), (160, 48), (240, 60), (81, 25), (60, 20), (20, 6), (1, 1))


def assert_exact(lines: list[Line], width: int, height: int) -> None:
    assert len(lines) == height
    assert {width_of(line) for line in lines} == {width}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_page_fills_its_screen_exactly(view: DeskView, size: tuple[int, int]) -> None:
    assert_exact(desk_page(Seen(view), *size), *size)
    assert_exact(desk_page(Seen(view, 9 * sample.SECOND), *size, Span("a notice " * 20)), *size)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_the_five_panels_show_on_the_smallest_whole_screen(view: DeskView) -> None:
    shown = plain(desk_page(Seen(view), 80, 24, Span("a notice " * 30))).lower()
    for word in ("position", "heat", "breaker", "signal", "heartbeat", "paper", "utc", "equity"):
        assert word in shown
    assert "p pause" in " ".join(shown.split())


@pytest.mark.parametrize("breaker", [breaker.label for breaker in sample.BREAKERS])
def test_no_breaker_is_ever_hidden_on_a_whole_screen(breaker: str) -> None:
    for width, height in ((80, 24), (120, 40), (160, 48)):
        assert breaker in plain(desk_page(Seen(sample.BLOCKED), width, height))


def test_a_small_screen_keeps_the_state_the_blocks_and_the_keys() -> None:
    shown = plain(desk_page(Seen(sample.BLOCKED), 60, 16))
    assert "PAPER" in shown
    assert "x HALTED" in shown
    assert "resume (r)" in shown
    assert "the desk needs 80x24" in shown
    assert " p Pause" in shown
    assert " K Kill…" in shown


def test_before_the_first_view_the_page_says_that_it_waits() -> None:
    assert "waiting for the desk's first word" in plain(desk_page(None, 80, 24))


def test_the_roomy_page_adds_equity_orders_and_events() -> None:
    shown = plain(desk_page(Seen(sample.BUSY), 120, 40))
    for name in ("Equity", "Working orders", "Events"):
        assert name in shown


def test_the_help_fills_its_screen_and_names_every_key() -> None:
    assert_exact(help_page(80, 24), 80, 24)
    shown = plain(help_page(80, 24))
    for key in (" p ", " r ", " K ", " q ", " ? ", "ctrl+c", "Esc"):
        assert key in shown


@given(
    st.integers(0, 60),
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 40), st.integers(1, 5)), min_size=1, max_size=5),
)
def test_rows_are_shared_out_without_one_too_many(height: int, wishes: list[tuple[int, int, int]]) -> None:
    panels = [Panel(heat.title, heat.rows, least=least, share=share) for least, _, share in wishes]
    wanted = [want for _, want, _ in wishes]
    given_rows = allot(height, panels, wanted)
    assert sum(given_rows) <= height
    assert sum(given_rows) == height or given_rows == wanted
    assert all(0 <= rows <= want for rows, want in zip(given_rows, wanted, strict=True))


NASTY = st.one_of(
    st.text(alphabet=st.characters(), max_size=40),
    st.sampled_from(
        [
            "[bold red]x[/] [@click=app.quit]y[/]",
            "\x1b[2J\x1b[31mred",
            "\x1b]0;title\x07",
            "\u202e123\u202c",
            "a\r\nb\tc\x00",
            "市价" * 30,
            "👨‍👩‍👧‍👦" * 9,
            "z" * 5_000,
            "",
        ]
    ),
)


def with_text(view: DeskView, text: str) -> DeskView:
    """The view with `text` in every field that carries words from outside."""

    def swap(part: msgspec.Struct, *names: str) -> msgspec.Struct:
        return msgspec.structs.replace(part, **dict.fromkeys(names, text))

    return sample.changed(
        view,
        env=text,
        run_id=text,
        venue=text,
        broker=text,
        source=text,
        clock=text,
        phase_text=text,
        journal_head=text,
        positions=tuple(swap(one, "symbol", "strategy_id") for one in view.positions),
        orders=tuple(swap(one, "order_id", "symbol", "purpose", "state") for one in view.orders),
        recent_signals=tuple(swap(one, "strategy_id", "symbol", "text") for one in view.recent_signals),
        breakers=tuple(swap(one, "label", "action", "lifts") for one in view.breakers),
        blocks=tuple(swap(one, "reason", "text", "lifts") for one in view.blocks),
        feeds=tuple(swap(one, "symbol") for one in view.feeds),
        notes=tuple(swap(one, "kind", "text", "level") for one in view.notes),
    )


@settings(max_examples=400, deadline=None)
@given(NASTY, st.sampled_from(SIZES))
def test_no_text_from_outside_can_harm_the_page(text: str, size: tuple[int, int]) -> None:
    """FS-11."""
    lines = desk_page(Seen(with_text(sample.BLOCKED, text)), *size, Span(text))
    assert_exact(lines, *size)
    shown = "".join(span.text for line in lines for span in line)
    assert not {unicodedata.category(char) for char in set(shown)} & {"Cc", "Cf", "Cs", "Mn", "Me", "Zl", "Zp"}


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 48)])
@pytest.mark.parametrize("notice", ["", "kill in force: " + "5 orders being cancelled, 3 positions being closed " * 3])
@pytest.mark.parametrize("name", VIEWS)
def test_no_breaker_drops_off_the_page(name: str, notice: str, size: tuple[int, int]) -> None:
    told = Span(notice, Tone.ALARM) if notice else None
    shown = plain(desk_page(Seen(VIEWS[name]), *size, told))
    for breaker in sample.BREAKERS:
        assert re.search(rf"(ok|! |x ) {breaker.label} ", shown), breaker.label
    assert "─ Heat" in shown and "─ Heartbeat" in shown


def test_what_has_ended_can_only_be_left() -> None:
    ended = sample.changed(sample.KILLED, phase=SessionPhase.COMPLETED)
    shown = " ".join(plain(desk_page(Seen(ended), 80, 24)).split())
    assert "q Leave" in shown and "q Stop" not in shown
    assert "killed from the console by anna at 12:03:07, lifted by nightdesk rearm. q leaves." in shown


def test_a_desk_that_is_away_is_waited_for_and_the_last_view_is_known_to_be_old() -> None:
    away = Seen(sample.BUSY, 9 * 10**9, Seat.OPERATOR, "no desk is running in /desk/paper")
    shown = " ".join(plain(desk_page(away, 120, 40)).split())
    assert "x NO DESK 9s" in shown
    assert "no desk is running in /desk/paper. Waiting for the desk; q leaves; K still kills" in shown
    viewer = " ".join(plain(desk_page(away._replace(seat=Seat.VIEWER), 120, 40)).split())
    assert "Waiting for the desk; q leaves" in viewer and "K still kills" not in viewer
    silent = " ".join(plain(desk_page(away._replace(seat=Seat.VIEWER, away=""), 120, 40)).split())
    assert "x STALE 9s" in silent and "K still" not in silent


def test_a_session_that_ended_is_waited_behind_by_whoever_is_attached() -> None:
    ended = sample.changed(sample.BUSY, phase=SessionPhase.COMPLETED)
    for away, told in (("the desk has ended", True), ("", False)):
        shown = " ".join(plain(desk_page(Seen(ended, seat=Seat.OPERATOR, away=away), 120, 40)).split())
        assert ("Waiting for the next one; q leaves." in shown) == told
        assert "ok ENDED" in shown


def test_a_visitor_who_has_seen_nothing_yet_can_leave_too() -> None:
    assert "q Leave" in plain(desk_page(None, 80, 24, seat=Seat.OPERATOR))
    assert "q Stop" in plain(desk_page(None, 80, 24))


def test_a_visitor_is_told_that_q_leaves_and_the_desk_goes_on() -> None:
    own, visiting = (plain(desk_page(Seen(sample.BUSY, seat=seat), 120, 40)) for seat in (Seat.OWNER, Seat.OPERATOR))
    assert "Stop…" in own and "Stop…" not in visiting and "Leave" in visiting
    assert "The desk goes on." in plain(help_page(120, 40, Seat.OPERATOR))


def test_orders_that_have_no_room_are_counted() -> None:
    many = tuple(msgspec.structs.replace(sample.ORDERS[0], order_id=f"o{at}") for at in range(30))
    shown = plain(desk_page(Seen(sample.changed(sample.BUSY, orders=many)), 120, 40))
    assert re.search(r"↓ \d+ more: 3 Orders", shown)
    assert "more: 3 Orders" not in plain(desk_page(Seen(sample.BUSY), 120, 40))
