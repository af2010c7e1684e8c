"""The questions the console can ask: what each will do, in the figures of the moment.

A kill is two keys; what is not urgent and cannot be taken back is a word to type, on a live desk with its account.
"""

from typing import Final

from console.panels.status import env_badge
from console.screens.question import Answer, Question
from console.text import OVER, Seen, Tone, count_of
from engine.core.events import SessionPhase
from engine.core.view import DeskView

KILL: Final = Answer("kill", ("y", "Y"), "y", "KILL: stop all trading now")
STOP: Final = Answer("stop", ("y", "Y"), "y", "Stop: close positions and end the session")
KEEP: Final = Answer("keep", ("o", "O"), "o", "Stop, but leave the positions open")
LEAVE: Final = Answer("leave", ("l", "L"), "l", "Leave this screen; the session goes on ending")


def kill_question(view: DeskView | None) -> Question:
    return Question(f"KILL the desk: {_named(view)}", Tone.BAD, _kill_says, (KILL,))


def stop_question(view: DeskView | None) -> Question:
    """Stop the session, or, while it is ending anyway, leave the screen."""
    answers = (LEAVE,) if view is not None and is_ending(view) else (STOP, KEEP)
    return Question(f"Stop the session: {_named(view)}", Tone.WARN, _stop_says, answers)


def is_ending(view: DeskView) -> bool:
    return view.phase is SessionPhase.SHUTTING_DOWN or view.phase in OVER


def _kill_says(seen: Seen | None) -> list[str]:
    if seen is None:
        return ["Nothing is known of the desk yet. Its gate closes and the kill is latched."]
    view = seen.view
    fate = "closed, reduce-only" if view.kill_closes else "KEPT as configured, without working stops"
    return [
        f"Run {view.run_id} on the {view.env.upper()} desk:",
        "- No order passes any more.",
        f"- {count_of(len(view.orders), 'working order')} cancelled.",
        f"- {count_of(len(view.positions), 'open position')} {fate}.",
        "- The kill is latched: the session ends, and entries stay refused until nightdesk rearm.",
    ]


def _stop_says(seen: Seen | None) -> list[str]:
    if seen is None:
        return ["Nothing is known of the desk yet."]
    view = seen.view
    if is_ending(view):
        return [f"The session is ending: {view.phase_text or 'in order'}."]
    held, working = count_of(len(view.positions), "open position"), count_of(len(view.orders), "working order")
    return [
        f"Run {view.run_id} on the {view.env.upper()} desk has {held} and {working}.",
        "Orders are cancelled and the report is written either way.",
    ]


def flatten_question(view: DeskView | None) -> Question:
    """Close every position, and stay paused."""
    return Question(f"Flatten: {_named(view)}", Tone.WARN, _flatten_says, word=_word("FLATTEN", view))


def rearm_question(view: DeskView | None) -> Question:
    """Clear the kill latch."""
    return Question(f"Re-arm: {_named(view)}", Tone.WARN, _rearm_says, word=_word("REARM", view), needs_reason=True)


def _named(view: DeskView | None) -> str:
    return env_badge(view).text.strip() if view is not None else "unseen"


def _word(word: str, view: DeskView | None) -> str:
    """What has to be typed; on a live desk its account as well, so that no habit does it."""
    return f"{word} {view.account}" if view is not None and view.env != "paper" and view.account else word


def _flatten_says(seen: Seen | None) -> list[str]:
    if seen is None:
        return ["Nothing is known of the desk yet."]
    view = seen.view
    held, working = count_of(len(view.positions), "open position"), count_of(len(view.orders), "working order")
    return [
        f"Run {view.run_id} on the {view.env.upper()} desk, account {view.account or 'unnamed'}:",
        f"- {working} cancelled, {held} closed at the market, reduce-only.",
        "- Entries stay paused until you resume. This cannot be taken back.",
    ]


def _rearm_says(seen: Seen | None) -> list[str]:
    if seen is None:
        return ["Nothing is known of the desk yet."]
    view = seen.view
    then = "the next start may enter again" if view.phase in OVER else "this desk may enter again at once"
    return [
        f"The kill of the {view.env.upper()} desk, account {view.account or 'unnamed'}, is latched.",
        f"Cleared, {then}. Your reason goes into the record.",
    ]
