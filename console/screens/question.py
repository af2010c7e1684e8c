"""A question before something that cannot be undone. The harmless answer is chosen; only its own key does harm.

What was typed before the question could be read is thrown away: the dangerous keys are armed a moment after the
question has left for the terminal, and never while output is still waiting for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from textual import events
from textual.app import ComposeResult

from console.board import Board, Palette
from console.exact import ExactModalScreen
from console.pages.field import Field
from console.text import BLANK, SECOND, Line, Seen, Span, Tone, cut_line, wrap

ARMED_AFTER_NS: Final = 300_000_000
LOOK_AGAIN_SECONDS: Final = 0.02
OPEN_NS: Final = 15 * SECOND
TYPING_NS: Final = 90 * SECOND
WIDTH: Final = 64
CANCELS: Final = frozenset({"escape", "enter", "n", "N", "q", "ctrl+c"})
TYPED_CANCELS: Final = frozenset({"escape", "enter", "ctrl+c"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One dangerous answer: its keys as Textual names them, how it is written, and what it is called."""

    name: str
    keys: tuple[str, ...]
    key: str
    label: str


@dataclass(frozen=True, slots=True)
class Question:
    """`says` gives its sentences from what is known now; each is one paragraph.

    With a `word` there are no keys: it has to be typed, and what follows it is the reason, which is the answer's text.
    With `needs_reason` there has to be one.
    """

    title: str
    tone: Tone
    says: Callable[[Seen | None], list[str]]
    answers: tuple[Answer, ...] = ()
    word: str = ""
    needs_reason: bool = False

    def reason(self, typed: str) -> str | None:
        """The reason in what was typed; None if that is no answer."""
        words, wanted = typed.split(), self.word.split()
        reason = " ".join(words[len(wanted) :])
        return reason if words[: len(wanted)] == wanted and (reason or not self.needs_reason) else None


def question_lines(
    question: Question, seen: Seen | None, width: int, left_ns: int, early: bool, typed: str = ""
) -> list[Line]:
    """The question as a box of `width` cells: what will happen, the answers, the time left."""
    inner = width - 4
    body: list[Line] = [BLANK]
    for sentence in question.says(seen):
        body.extend((Span(text),) for text in wrap(sentence, inner))
    body.append(BLANK)
    body.append((Span(" Enter  Cancel ", Tone.CHOSEN), Span("  nothing happens", Tone.DIM)))
    body.extend(
        (Span(f" {answer.key} ", Tone.KEY), Span(f" {answer.label}", question.tone)) for answer in question.answers
    )
    if question.word:
        body.extend(_word_lines(question, typed, inner))
    if early:
        keys = " or ".join(answer.key for answer in question.answers)
        body.append((Span(f"that key came too early and was ignored: press {keys} again", Tone.WARN),))
    else:
        body.append((Span(f"closes by itself in {-(-left_ns // SECOND)} s", Tone.DIM),))
    return boxed(question.title, question.tone, body, width)


def boxed(title: str, tone: Tone, body: list[Line], width: int) -> list[Line]:
    named = f" {title} "
    top: Line = (Span("┏━", tone), Span(named, tone), Span("━" * max(width - 3 - len(named), 0) + "┓", tone))
    bottom: Line = (Span("┗" + "━" * (width - 2) + "┛", tone),)
    sides = [(Span("┃ ", tone), *cut_line(line, width - 4), Span(" ┃", tone)) for line in body]
    return [cut_line(top, width), *sides, bottom]


def _word_lines(question: Question, typed: str, width: int) -> list[Line]:
    """Where the word is typed, and what is still missing."""
    fits = question.reason(typed) is not None
    small = not fits and question.reason(typed.upper()) is not None
    why = " and why" if question.needs_reason else "; a reason may follow"
    wanted = (Span("type ", Tone.DIM), Span(question.word, Tone.STRONG), Span(f"{why}, then Enter", Tone.DIM))
    shown = typed[-(width - 4) :]
    line: Line = (Span("> ", question.tone), Span(shown, question.tone if fits else Tone.PLAIN), Span("▏", Tone.STRONG))
    told: Line = (Span("in capitals, as it stands above", Tone.WARN),) if small else BLANK
    return [wanted, line, told]


class QuestionScreen(ExactModalScreen[str | None], inherit_bindings=False):
    """Asks one `Question`; ends with the name of the answer, or the reason typed, or None for the harmless one.

    `output_waits` says whether the terminal has not read all output yet.
    """

    def __init__(
        self, question: Question, palette: Palette, mono_ns: Callable[[], int], output_waits: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._output_waits = output_waits
        self._question = question
        self._mono_ns = mono_ns
        self._opened_ns = mono_ns()
        self._painted_ns: int | None = None
        self._early = self._shown = False
        self._seen: Seen | None = None
        self._answered = False
        self._field = Field()
        self.board = Board(palette)

    def compose(self) -> ComposeResult:
        yield self.board

    def show(self, seen: Seen | None) -> None:
        """Show the question with fresh figures."""
        self._seen, now_ns = seen, self._mono_ns()
        open_ns = TYPING_NS if self._question.word else OPEN_NS
        left_ns = self._opened_ns + open_ns - now_ns
        if left_ns <= 0:
            self._answer(None)
            return
        width = min(WIDTH, self.app.size.width)
        lines = question_lines(self._question, seen, width, left_ns, self._early, self._field.text)
        self.board.styles.width, self.board.styles.height = width, min(len(lines), self.app.size.height)
        self.board.show(lines[-self.app.size.height :])
        if not self._shown:
            self._shown = True
            self.call_after_refresh(self._note_painted)

    def _note_painted(self) -> None:
        """The question has gone out; it is on the screen once the terminal has read it."""
        if self._painted_ns is not None:
            return
        if self._output_waits():
            self.set_timer(LOOK_AGAIN_SECONDS, self._note_painted)
        else:
            self._painted_ns = self._mono_ns()

    @property
    def armed(self) -> bool:
        """Whether the dangerous answers count yet."""
        return self._painted_ns is not None and self._mono_ns() - self._painted_ns >= ARMED_AFTER_NS

    def on_key(self, event: events.Key) -> None:
        """Every key ends here: nothing typed at a question may reach the desk below it."""
        event.stop()
        event.prevent_default()
        if self._question.word:
            self._type(event)
            return
        if event.key in CANCELS:
            self._answer(None)
            return
        for answer in self._question.answers:
            if event.key in answer.keys:
                if self.armed:
                    self._answer(answer.name)
                else:
                    self._early = True
                    self.show(self._seen)

    def _type(self, event: events.Key) -> None:
        """A word is no accident, so there is no time before which it does not count."""
        if event.key == "enter" and self._field.text:
            reason = self._question.reason(self._field.text)
            if reason is not None:
                self._answer(reason)
        elif event.key in TYPED_CANCELS:
            self._answer(None)
        elif self._field.press(event.key, event.character):
            self.show(self._seen)

    def _answer(self, name: str | None) -> None:
        if not self._answered:
            self._answered = True
            self.dismiss(name)
