"""Critical alerts nobody answers: told again and again, and in the end a reason to stop entries."""

from engine.core.config import HOUR, MINUTE
from engine.core.words import AlertKind
from engine.session.alerting.notices import Notice, Sender, compose
from engine.session.alerting.reminders import Reminders

BEGIN_NS = 5


def notice(kind: AlertKind, text: str = "daily loss: 51 >= 50") -> Notice:
    return compose(kind, text, 1, "run-1", Sender("PAPER", "desk-1", "host-1"))


def raised(kind: AlertKind = AlertKind.BREAKER, *, every_ns: int = HOUR, pause_ns: int = 4 * HOUR) -> Reminders:
    reminders = Reminders(every_ns, pause_ns)
    reminders.raised(notice(kind), BEGIN_NS)
    return reminders


def test_what_nobody_answers_is_told_again_every_hour_with_how_long_it_has_waited() -> None:
    """FO-17."""
    reminders = raised()
    assert reminders.due_ns() == BEGIN_NS + HOUR
    assert reminders.reminder(BEGIN_NS + HOUR - 1) == ""
    said = "circuit breaker tripped: daily loss: 51 >= 50"
    assert reminders.reminder(BEGIN_NS + HOUR) == f"unanswered for 1h00m: {said}"
    assert reminders.reminder(BEGIN_NS + HOUR) == ""
    reminders.raised(notice(AlertKind.MEMORY), BEGIN_NS + HOUR + MINUTE)
    assert reminders.reminder(BEGIN_NS + 2 * HOUR) == f"unanswered for 2h00m: {said}; 1 more came since"


def test_an_answer_ends_it_and_what_comes_later_begins_anew() -> None:
    reminders = raised()
    reminders.answered()
    assert (reminders.due_ns(), reminders.text(9 * HOUR), reminders.reminder(9 * HOUR)) == (None, "", "")
    assert reminders.pause(9 * HOUR) == ""
    reminders.raised(notice(AlertKind.MEMORY), 9 * HOUR)
    assert reminders.reminder(10 * HOUR - 1) == ""
    assert "memory limit" in reminders.reminder(10 * HOUR)


def test_after_a_set_time_entries_are_to_be_stopped_once() -> None:
    """FO-17."""
    reminders = raised(every_ns=0, pause_ns=4 * HOUR)
    assert reminders.due_ns() == BEGIN_NS + 4 * HOUR
    assert reminders.pause(BEGIN_NS + 4 * HOUR - 1) == ""
    assert reminders.pause(BEGIN_NS + 4 * HOUR).startswith("nobody has answered for 4h00m: circuit breaker tripped")
    assert reminders.pause(BEGIN_NS + 5 * HOUR) == ""
    assert reminders.due_ns() is None


def test_where_it_is_not_wanted_nothing_is_told_again_and_nothing_stops() -> None:
    reminders = raised(every_ns=0, pause_ns=0)
    assert (reminders.due_ns(), reminders.reminder(9 * HOUR), reminders.pause(9 * HOUR)) == (None, "", "")
    assert reminders.text(BEGIN_NS + MINUTE).startswith("unanswered for 1m00s")


def test_lesser_alerts_and_the_reminder_itself_ask_for_no_answer() -> None:
    for kind in (AlertKind.PAUSED, AlertKind.RUN_STARTED, AlertKind.UNANSWERED, AlertKind.TEST):
        assert raised(kind).due_ns() is None, kind
