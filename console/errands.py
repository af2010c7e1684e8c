"""Commands on their way: sent, waiting, answered; what the operator reads of them; the kill that needs no answer.

One command of a kind is under way at a time, so a key held down is one command. Nothing here waits: the console looks
in on its errands at every beat. A kill that is not answered in time goes by the kill file as well.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from console.text import Span, Tone, micros, said
from engine.core.events import Act
from engine.core.times import stretch
from engine.core.view import CommandReceipt, DeskView
from engine.session.ports import CommandRequest, Desk

FLATTENING: Final = (Act.KILL, Act.FLATTEN)
KILL_PATIENCE_NS: Final = 250_000_000
PATIENCE_NS: Final = 2_000_000_000
SHOWN_NS: Final = 12_000_000_000
UNCONFIRMED_SHOWN: Final = 3
Carrier = Callable[[CommandRequest], Future[CommandReceipt]]


@dataclass(slots=True)
class Errand:
    """One command: when it was sent, and what came of it. `fallback` is what the kill file's writer said."""

    act: Act
    sent_ns: int
    answer: Future[CommandReceipt] = field(default_factory=Future)
    answered_ns: int | None = None
    flat_ns: int | None = None  # when nothing was open and nothing worked any more
    fallback_begun: bool = False
    fallback: str = ""

    @property
    def waiting(self) -> bool:
        return not self.answer.done()

    @property
    def failure(self) -> str | None:
        """Why the command was not delivered; None if it was. Only once it is answered."""
        if self.answer.cancelled():
            return "the desk dropped it"
        error = self.answer.exception()
        return None if error is None else said(str(error) or type(error).__name__, 80)


class Errands:
    """Sends commands to a desk and tells what became of the newest one."""

    def __init__(
        self,
        desk: Desk,
        mono_ns: Callable[[], int],
        actor: str,
        kill_fallback: Callable[[], str] | None = None,
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        self._desk = desk
        self._mono_ns = mono_ns
        self._actor = actor
        self._kill_fallback = kill_fallback
        self._on_answer = on_answer
        self._newest: Errand | None = None
        self._by_act: dict[Act, Errand] = {}
        self._remark: tuple[int, Span | None] = (0, None)

    @property
    def killed(self) -> bool:
        """A kill was sent from this console and not refused."""
        errand = self._by_act.get(Act.KILL)
        return errand is not None and (errand.waiting or errand.failure is None)

    def send(self, act: Act, reason: str, carry: Carrier | None = None) -> None:
        """Send a command unless one of its kind is still under way. Never blocks, never raises.

        `carry` takes it where the desk itself does not: of one that is over, its books may still be spoken to.
        """
        now_ns = self._mono_ns()
        under_way = self._by_act.get(act)
        if under_way is not None and under_way.waiting:
            self._newest = under_way
            return
        errand = Errand(act, now_ns)
        request = CommandRequest(act=act, source="tui", actor=self._actor, reason=reason)
        try:
            errand.answer = (carry or self._desk.command)(request)
        except (
            Exception
        ) as error:  # whatever the carrier of the desk raises, the operator must read it, not lose the screen
            errand.answer.set_exception(error)
        self._newest = self._by_act[act] = errand
        self._remark = (0, None)
        errand.answer.add_done_callback(lambda _: self._on_answer())
        self.look_in()

    def remark(self, text: str, tone: Tone = Tone.WARN) -> None:
        """Tell the operator something that is no command's answer."""
        self._remark = (self._mono_ns(), Span(text, tone))

    def look_in(self) -> None:
        """Note answers, and start the kill file's writer for a kill that got none in time or a refusal to carry it."""
        now_ns = self._mono_ns()
        for errand in self._by_act.values():
            if not errand.waiting and errand.answered_ns is None:
                errand.answered_ns = now_ns
        kill = self._by_act.get(Act.KILL)
        if kill is None or kill.fallback_begun or self._kill_fallback is None:
            return
        late = kill.waiting and now_ns - kill.sent_ns >= KILL_PATIENCE_NS
        failed = not kill.waiting and kill.failure is not None
        if late or failed:
            kill.fallback_begun = True
            # A file system can hang too; the screen must not hang with it.
            threading.Thread(target=self._fall_back, args=(kill,), name="kill-file", daemon=True).start()

    def see(self, view: DeskView) -> None:
        """Note when what a kill or a flatten set off is done."""
        errand = self._newest
        if errand is None or errand.act not in FLATTENING or errand.answered_ns is None or errand.flat_ns is not None:
            return
        if errand.failure is None and not view.positions and not view.orders:
            errand.flat_ns = self._mono_ns()

    def _fall_back(self, kill: Errand) -> None:
        assert self._kill_fallback is not None
        try:
            kill.fallback = f"kill file written: {said(self._kill_fallback(), 80)}"
        except OSError as error:
            kill.fallback = f"kill file NOT written: {said(str(error), 80)}"
        self._on_answer()

    def notice(self) -> Span | None:
        """A sentence about the newest command or remark; None once it is old. A kill's sentence stays."""
        now_ns = self._mono_ns()
        said_ns, remark = self._remark
        if remark is not None and now_ns - said_ns < SHOWN_NS:
            return remark
        errand = self._newest
        if errand is None:
            return None
        if errand.waiting:
            return _waiting(errand, now_ns)
        answered_ns = now_ns if errand.answered_ns is None else errand.answered_ns
        if errand.act is not Act.KILL and now_ns - answered_ns >= SHOWN_NS:
            return None
        return _answered(errand, answered_ns - errand.sent_ns)


def _waiting(errand: Errand, now_ns: int) -> Span:
    waited_ns = now_ns - errand.sent_ns
    if errand.act is Act.KILL and errand.fallback_begun:
        told = errand.fallback or "writing the kill file"
        return Span(f"! kill: no receipt within {KILL_PATIENCE_NS // 1_000_000} ms; {told}", Tone.ALARM)
    if waited_ns >= PATIENCE_NS:
        return Span(f"! {errand.act.value}: no receipt for {stretch(waited_ns)}; K kills even then", Tone.ALARM)
    return Span(f"~ {errand.act.value} sent, waiting for the desk", Tone.WARN)


def _answered(errand: Errand, in_all_ns: int) -> Span:
    name = errand.act.value
    told = f"; {errand.fallback}" if errand.fallback else ""
    if errand.failure is not None:
        return Span(f"x {name} not delivered: {errand.failure}{told}", Tone.ALARM)
    receipt = errand.answer.result()
    if not receipt.accepted:
        return Span(f"x {name} refused: {said(receipt.text, 200)}{told}", Tone.BAD)
    took = f"{receipt.took_us // 1000}.{receipt.took_us // 100 % 10} ms, receipt after {in_all_ns // 1_000_000} ms"
    if errand.flat_ns is not None:
        in_all = (errand.flat_ns - errand.sent_ns) // 1_000_000
        told = f"; done: flat, no order left, after {micros(in_all * 1_000)}{told}"
    text = f"{name} in force in {took}: {said(receipt.text, 200)}{told}"
    if receipt.unconfirmed:
        shown = ", ".join(said(order, 36) for order in receipt.unconfirmed[:UNCONFIRMED_SHOWN])
        return Span(f"! {len(receipt.unconfirmed)} orders NOT confirmed cancelled: {shown}; {text}", Tone.ALARM)
    return Span(f"ok {text}", Tone.ALARM if errand.act is Act.KILL else Tone.GOOD)
