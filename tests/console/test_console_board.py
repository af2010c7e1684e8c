"""Only what changed is drawn again, and a wide character is never cut in two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color
from rich.style import Style
from textual.app import App, ComposeResult

from console.board import Board, changed_runs
from console.exits import Quit
from console.palette import palette_for, themed
from console.text import Line, Span, Tone, width_of


def line(*texts: str) -> Line:
    return tuple(Span(text) for text in texts)


@pytest.mark.parametrize(
    ("before", "after", "runs"),
    [
        ("same", "same", []),
        ("mark 61204.50", "mark 61204.75", [(11, 2)]),
        ("a    b", "x    y", [(0, 6)]),
        ("a            b", "x            y", [(0, 1), (13, 1)]),
        ("abc", "abcdef", [(3, 3)]),
        ("abcdef", "abc", [(3, 3)]),
        ("市价1", "市价2", [(4, 1)]),
        ("市价1", "市ab1", [(2, 2)]),
        ("a市b", "市ab", [(0, 3)]),
    ],
)
def test_changed_runs_are_exact(before: str, after: str, runs: list[tuple[int, int]]) -> None:
    assert changed_runs(line(before), line(after)) == runs


def test_another_tone_is_a_change() -> None:
    assert changed_runs((Span("ok"),), (Span("ok", Tone.GOOD),)) == [(0, 2)]
    assert changed_runs((Span("ok", Tone.GOOD),), (Span("o", Tone.GOOD), Span("k", Tone.GOOD))) == []


LINES = st.lists(st.text(alphabet="ab市 ", max_size=8), max_size=4).map(lambda texts: line(*texts))


@given(LINES, LINES)
def test_repainting_the_runs_makes_the_old_line_the_new_one(before: Line, after: Line) -> None:
    def cells(shown: Line, size: int) -> list[str]:
        flat: list[str] = []
        for char in "".join(span.text for span in shown):
            flat.extend([char] if char.isascii() else [char, ""])
        return flat + [" "] * (size - len(flat))

    size = max(width_of(before), width_of(after))
    screen, wanted = cells(before, size), cells(after, size)
    for first, count in changed_runs(before, after):
        assert wanted[first] != "", "a run begins within a wide character"
        screen[first : first + count] = wanted[first : first + count]
    assert screen == wanted


class OneBoard(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.board = Board(palette_for({"TERM": "xterm-256color", "COLORTERM": "truecolor"})[0])

    def compose(self) -> ComposeResult:
        yield self.board


async def test_a_frame_that_changes_nothing_draws_nothing() -> None:
    app = OneBoard()
    async with app.run_test(size=(20, 3)) as pilot:
        app.board.show([line("one"), line("two")])
        await pilot.pause()
        drawn = app.board.cells_drawn
        app.board.show([line("one"), line("two")])
        assert app.board.cells_drawn == drawn
        app.board.show([line("one"), line("twi")])
        assert app.board.cells_drawn == drawn + 1
        app.board.show([line("one")])
        assert app.board.cells_drawn == drawn + 1 + 20
        assert app.board.render_line(1).text == " " * 20
        assert app.board.render_line(0).text == "one".ljust(20)


def test_without_colour_every_tone_is_told_by_weight_alone() -> None:
    palette, own = palette_for({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"})
    assert own
    assert set(palette) == set(Tone)
    assert all(style.color is None and style.bgcolor is None for style in palette.values())
    assert palette[Tone.ALARM].reverse
    assert palette[Tone.LIVE].reverse


@pytest.mark.parametrize("term", [{"TERM": "xterm"}, {"TERM": "xterm-256color"}, {"TERM": "dumb"}, {}])
def test_every_terminal_has_a_whole_palette(term: dict[str, str]) -> None:
    palette, _ = palette_for(term)
    assert set(palette) == set(Tone)


def luminance(colour: Color | None) -> float:
    """Relative luminance, WCAG 2.2."""
    assert colour is not None and colour.triplet is not None
    parts = [part / 255 for part in colour.triplet]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(style: Style) -> float:
    brighter, darker = sorted((luminance(style.color), luminance(style.bgcolor)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(("theme", "least"), [("night", 4.5), ("day", 4.5), ("contrast", 7)])
def test_every_theme_can_be_read(theme: str, least: float) -> None:
    palette = themed(theme)
    assert set(palette) == set(Tone)
    for tone, style in palette.items():
        assert contrast(style) >= (1.3 if tone is Tone.RULE else 3 if tone is Tone.BAR else least), tone


def test_a_theme_is_chosen_by_its_variable_and_an_unknown_one_is_refused() -> None:
    rich = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    assert palette_for(rich | {"NIGHTDESK_THEME": "day"}) == (themed("day"), False)
    assert palette_for(rich | {"NIGHTDESK_THEME": "terminal"})[1]
    assert palette_for(rich | {"NIGHTDESK_THEME": "day", "NO_COLOR": "1"})[1]
    with pytest.raises(Quit, match="there are night, day, contrast, terminal"):
        palette_for(rich | {"NIGHTDESK_THEME": "dusk"})
