"""Every key of the console, once: bindings, footer and help are read from this table.

What leads to a safer state never asks; what cannot be undone always does, and ends in an ellipsis. Dangerous keys
stand last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from textual.binding import Binding

from console.seat import Seat
from console.text import Line, Span, Tone, cut_line, width_of
from console.travel.moves import RULE, Move


@dataclass(frozen=True, slots=True)
class Action:
    """One key. `keys` are Textual's names; both cases are bound where a caps lock must not stand in the way.

    `commands` marks what the desk is sent a command by.
    """

    name: str
    keys: tuple[str, ...]
    key: str
    label: str
    help: str
    dangerous: bool = False
    shown: bool = True
    commands: bool = False


PAGE_KEYS: Final = "12345678"

ACTIONS: Final = (
    *(Action(f"page({key})", (key,), key, "", "", shown=False) for key in PAGE_KEYS),
    Action(
        "pause",
        ("p", "P"),
        "p",
        "Pause",
        "No new entries, at once and without a question. Stops keep working.",
        commands=True,
    ),
    Action(
        "resume",
        ("r", "R"),
        "r",
        "Resume",
        "Lifts your pause. Other blocks stay until their own cause is gone.",
        commands=True,
    ),
    Action("help", ("question_mark",), "?", "Help", "This page. Esc goes back."),
    Action(
        "flatten",
        ("f", "F"),
        "f",
        "Flatten…",
        "Closes every position and pauses, once you have typed the word. Other orders are cancelled.",
        dangerous=True,
        commands=True,
    ),
    Action(
        *("rearm", ("a", "A"), "a", "Re-arm…", "Clears the kill latch, once you have typed the word and why."),
        dangerous=True,
        shown=False,
        commands=True,
    ),
    Action("menu", ("colon",), ":", "Menu", "Everything the console can do, by name.", shown=False),
    Action("zone", ("u", "U"), "u", "UTC/local", "Writes times in UTC, or in this machine's own zone.", shown=False),
    Action("stop", ("q",), "q", "Stop…", "Ends the session in order, after a question.", dangerous=True),
    Action(
        "kill",
        ("K", "shift+k"),
        "K",
        "Kill…",
        "Stops all trading: K, then y. Orders are cancelled, entries stay refused until nightdesk rearm.",
        dangerous=True,
        commands=True,
    ),
    Action("interrupt", ("ctrl+c",), "ctrl+c", "", "Does nothing but say which keys do.", shown=False),
)

LEAVE: Final = Action("stop", ("q",), "q", "Leave", "Closes this console. The desk goes on.")
CLOSE: Final = Action("stop", ("q",), "q", "Leave", "Closes this console. The record stays as it is.")
REFUSED: Final = {
    Seat.VIEWER: "you are watching only: attach without --view to act",
    Seat.REPLAY: "this is a recorded run: nothing can be commanded",
}
"""What is said where a key would command the desk, by the seats it may not be commanded from."""


def _travel(move: Move, keys: tuple[str, ...], key: str = "", label: str = "", help: str = "") -> Action:
    return Action(f"travel('{move}')", keys, key, label, help, shown=bool(label))


TRAVEL: Final = (
    _travel(Move.PLAY, ("space",), "space", "Play", "Plays the run, or pauses it."),
    _travel(Move.STEP, ("full_stop", "right"), ". ,", "Step", "One event on, or one back; the arrows do it too."),
    _travel(Move.BACK, ("comma", "left")),
    _travel(
        *(Move.FASTER, ("plus", "equals_sign"), "+ -", "Speed"),
        "Faster or slower: 1, 10, 60, 600 times as fast as the desk, or as fast as it goes.",
    ),
    _travel(Move.SLOWER, ("minus",)),
    _travel(
        *(Move.MINUTE_ON, ("right_square_bracket",), "] [", "", "A minute on, or back; with shift, } and {, an hour.")
    ),
    _travel(Move.MINUTE_BACK, ("left_square_bracket",)),
    _travel(Move.HOUR_ON, ("right_curly_bracket",)),
    _travel(Move.HOUR_BACK, ("left_curly_bracket",)),
    Action("go", ("g",), "g", "Go to", f"Goes to a moment you type: {RULE.removeprefix('write ')}."),
    _travel(
        *(Move.NEXT_TRADE, ("t",), "t x b i", "Next"),
        "The next closed trade, rejected signal, change of a breaker, incident; as capitals, the one before.",
    ),
    _travel(Move.LAST_TRADE, ("T",)),
    _travel(Move.NEXT_REJECTION, ("x",)),
    _travel(Move.LAST_REJECTION, ("X",)),
    _travel(Move.NEXT_BREAKER, ("b",)),
    _travel(Move.LAST_BREAKER, ("B",)),
    _travel(Move.NEXT_INCIDENT, ("i",)),
    _travel(Move.LAST_INCIDENT, ("I",)),
)
"""The keys of a recorded run."""


def actions(seat: Seat = Seat.OWNER) -> list[Action]:
    """What the keys do for who sits here. Whoever did not start the desk leaves by `q`, and the desk goes on."""
    if seat is Seat.OWNER:
        return list(ACTIONS)
    if seat.acts:
        return [LEAVE if action.name == LEAVE.name else action for action in ACTIONS]
    keys = tuple(key for action in ACTIONS if action.commands for key in action.keys)
    shown = " ".join(action.key for action in ACTIONS if action.commands)
    kept = (action for action in ACTIONS if not action.commands)
    leave, moves = (CLOSE, TRAVEL) if seat is Seat.REPLAY else (LEAVE, ())
    left = [leave if action.name == leave.name else action for action in kept]
    return [*moves, *left, Action("refuse", keys, shown, "", f"Not here: {REFUSED[seat]}.", shown=False)]


def bindings(seat: Seat) -> list[Binding]:
    """The keys as Textual takes them."""
    return [
        Binding(",".join(action.keys), action.name, action.label, key_display=action.key, system=not action.shown)
        for action in actions(seat)
    ]


def footer(width: int, seat: Seat = Seat.OWNER, hints: Sequence[tuple[str, str]] = ()) -> Line:
    """The keys that matter, in one line: the desk's own always, before them as many `hints` (key, label) as fit."""
    always: list[Line] = []
    for action in actions(seat):
        if action.shown:
            tone = Tone.WARN if action.dangerous else Tone.DIM
            always.append((Span(f" {action.key} ", Tone.KEY), Span(f"{action.label} ", tone)))
    room = width - sum(map(width_of, always))
    spans: list[Span] = []
    for key, label in hints:
        entry = (Span(f" {key} ", Tone.KEY), Span(f"{label} ", Tone.DIM))
        if width_of((*spans, *entry)) > room:
            break
        spans.extend(entry)
    for line in always:
        if width_of((*spans, *line)) <= width:
            spans.extend(line)
    return cut_line(tuple(spans), width)
