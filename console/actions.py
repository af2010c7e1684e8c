"""Every key of the console, once: bindings, footer and help are read from this table.

What leads to a safer state never asks; what cannot be undone always does, and ends in an ellipsis. Dangerous keys
stand last.
"""

from dataclasses import dataclass
from typing import Final

from console.text import Line, Span, Tone, cut_line, width_of


@dataclass(frozen=True, slots=True)
class Action:
    """One key. `keys` are Textual's names; both cases are bound where a caps lock must not stand in the way."""

    name: str
    keys: tuple[str, ...]
    key: str
    label: str
    help: str
    dangerous: bool = False
    shown: bool = True


ACTIONS: Final = (
    Action("pause", ("p", "P"), "p", "Pause", "No new entries, at once and without a question. Stops keep working."),
    Action("resume", ("r", "R"), "r", "Resume", "Lifts your pause. Other blocks stay until their own cause is gone."),
    Action("help", ("question_mark",), "?", "Help", "This page. Esc goes back."),
    Action("stop", ("q",), "q", "Stop…", "Ends the session in order, after a question.", dangerous=True),
    Action(
        "kill",
        ("K", "shift+k"),
        "K",
        "Kill…",
        "Stops all trading: K, then y. Orders are cancelled, entries stay refused until nightdesk rearm.",
        dangerous=True,
    ),
    Action("interrupt", ("ctrl+c",), "ctrl+c", "", "Does nothing but say so: q stops, K kills.", shown=False),
)


LEAVE: Final = Action("stop", ("q",), "q", "Leave", "Closes this console. The desk goes on.")


def actions(visitor: bool = False) -> list[Action]:
    """What the keys do here: for a visitor `q` leaves, and the desk goes on."""
    return [LEAVE if visitor and action.name == LEAVE.name else action for action in ACTIONS]


def footer(width: int, visitor: bool = False) -> Line:
    """The keys that matter, in one line."""
    spans: list[Span] = []
    for action in actions(visitor):
        if not action.shown:
            continue
        tone = Tone.WARN if action.dangerous else Tone.DIM
        entry = (Span(f" {action.key} ", Tone.KEY), Span(f"{action.label} ", tone))
        if width_of((*spans, *entry)) <= width:
            spans.extend(entry)
    return cut_line(tuple(spans), width)
