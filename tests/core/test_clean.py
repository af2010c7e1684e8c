"""Whatever comes from outside is harmless after `clean`."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.clean import LENGTH_MAX, clean


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("order refused", "order refused"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b2Jgone", "gone"),
        ("\x1b]0;a new title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq unfinished", ""),
        ("\x1bc reset", "reset"),
        ("lone \x1b", "lone"),
        ("a\r\nb\tc\x00d", "a b cd"),
        ("  too   many\u2003blanks ", "too many blanks"),
        ("\u202e123\u202c", "123"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("e\u0301te\u0301", "été"),
        ("z\u0338\u0334\u0335a", "za"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
        ("\ud800", ""),
        ("\u5e02\u4ef7", "\u5e02\u4ef7"),
    ],
)
def test_only_what_is_printable_is_kept(raw: str, kept: str) -> None:
    assert clean(raw) == kept


def test_a_long_text_is_cut_and_says_so() -> None:
    cut = clean("x" * 1_000_000)
    assert len(cut) == LENGTH_MAX
    assert cut.endswith("x…")
    assert clean("abcdef", 4) == "abc…"


@given(st.text(alphabet=st.characters(), max_size=400))
def test_no_text_leaves_anything_a_terminal_would_obey(raw: str) -> None:
    kept = clean(raw, 80)
    assert len(kept) <= 80
    assert not {unicodedata.category(char) for char in kept} & {"Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me", "Zl", "Zp"}
    assert clean(kept, 80) == kept
