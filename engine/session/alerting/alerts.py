"""The alerts of one run: written down, folded, handed to the couriers of their channels; what fails waits as a letter.

`write_alert` may be called from any thread and never waits: it queues. A thread of its own writes each alert to
`alerts.jsonl`, counts the same one again within a window instead of sending it, and gives it to every channel of its
severity. What was handed to a channel in an earlier run and is not known to have arrived goes out again at the start.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from engine.core.config import MINUTE
from engine.core.words import AlertKind, Severity
from engine.session.alerting.channels import Channel
from engine.session.alerting.courier import Courier, Line
from engine.session.alerting.kinds import KINDS
from engine.session.alerting.lanes import Lanes
from engine.session.alerting.notices import Notice, Sender, compose, message
from engine.session.alerting.record import AlertLine, Record, unfinished
from engine.session.alerting.record import Line as RecordLine
from engine.session.alerting.reminders import Reminders
from engine.session.alerting.services import NotDelivered, Service
from engine.session.clock import WallClock
from engine.session.dead_letters import AlertPayload, DeadLetters, Letter, LetterBox, Operation
from engine.session.fields import duration_text
from engine.session.fingerprints import fingerprint
from engine.session.ports import Clock
from engine.session.scrub import NOTHING_KNOWN, Scrubber

CLOSE_SECONDS: Final = 5.0
LAST_WORDS_SECONDS: Final = 2.0
INBOX_MAX: Final = 1_000

log = logging.getLogger("alerts")


class SessionOver(Exception):
    """The session ended before an alert could be delivered."""


class Posted(msgspec.Struct, frozen=True):
    """An alert on its way to the desk's own thread. `skips` is a channel it is not for."""

    notice: Notice
    skips: str = ""


class Fold(msgspec.Struct):
    """The same alert so far: the newest one, how many were only counted, and when the window is over (monotonic)."""

    notice: Notice
    until_ns: int
    count: int = 0


class Alerts:
    """Tells people of one run.

    Args:
        box: Where alerts wait that reach no channel.
        clock: The desk's, for the times people read.
        connect: Makes the line of a channel; the tests have others.
        remind_ns: How often a critical alert without an answer is told again; 0: never.
        pause_ns: How long one may be without before `on_unanswered` is told why, from the alerts' thread; 0: for ever.
        sign_head: Gives the signed head of the journal as JSON, blocking; it is sent every `heads_every_ns` (0: never).
    """

    def __init__(
        self,
        path: Path,
        sender: Sender,
        run_id: str,
        clock: Clock,
        box: LetterBox,
        channels: Sequence[Channel] = (),
        *,
        repeat_ns: int = 5 * MINUTE,
        scrubber: Scrubber = NOTHING_KNOWN,
        connect: Callable[[Channel], Line] = lambda channel: Service(channel.url),
        sign_head: Callable[[], str] | None = None,
        heads_every_ns: int = 0,
        remind_ns: int = 0,
        pause_ns: int = 0,
        on_unanswered: Callable[[str], None] = lambda _: None,
        wait_s: float = 1.0,
    ) -> None:
        self._sender = sender
        self._run_id = run_id
        self._clock = clock
        self._mono = WallClock()
        self._repeat_ns = repeat_ns
        self._scrubber = scrubber
        self._record = Record(path)
        self._sign_head = sign_head if heads_every_ns and channels else None
        self._heads_every_ns = heads_every_ns
        self._head_due_ns = self._mono.mono_ns() + heads_every_ns
        self._lines = {channel.name: connect(channel) for channel in channels}
        self._couriers = [Courier(channel, self._lines[channel.name], self, wait_s) for channel in channels]
        self._letters = DeadLetters(box, clock, {Operation.ALERT: self._deliver}, _log_letter)
        self._inbox: Lanes[Posted] = Lanes(INBOX_MAX)
        self._reminders = Reminders(remind_ns, pause_ns)
        self._on_unanswered = on_unanswered
        self._folds: dict[tuple[AlertKind, str], Fold] = {}
        self._earlier: Sequence[RecordLine] = ()
        self._replayed: Sequence[tuple[str, AlertKind, str, int]] = ()
        self._dropped_told = 0
        self._dropped_queued = 0  # by full channels
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self, replayed: Sequence[tuple[str, AlertKind, str, int]] = ()) -> None:
        """Begin, with what an earlier run may not have told: of its last events (run, kind, text, time)."""
        self._earlier, self._replayed = self._record.lines(), replayed
        for courier in self._couriers:
            courier.start()
        self._thread.start()

    def write_alert(self, kind: AlertKind, text: str, at_ns: int = 0) -> None:
        """Alert people. From any thread; never waits and raises nothing. `at_ns`: when it happened, else now."""
        self._post(kind, text, at_ns)

    def answered(self) -> None:
        """A person has done something with the desk: what was told before counts as read. From any thread."""
        self._reminders.answered()

    def troubles(self) -> tuple[str, ...]:
        """What is wrong with telling people, a sentence each. From any thread."""
        silent = [courier for courier in self._couriers if courier.problem]
        told = [f"alerts do not reach {c.channel.name} ({c.channel.service}): {c.problem}" for c in silent]
        told += [f"{self.lost} lines of alerts.jsonl could not be written"] if self.lost else []
        unanswered = self._reminders.text(self._mono.mono_ns())
        return (*told, f"critical alert {unanswered}") if unanswered else tuple(told)

    def last_words(self, kind: AlertKind, text: str) -> None:
        """Alert before the process ends hard: on the disk first, then two seconds for the channels. For the guard."""
        notice = self._compose(kind, text, 0, self._run_id)
        courtesy = self._wanting(notice)
        self._record.raised(notice, [courier.channel.name for courier in courtesy])
        for courier in courtesy:
            courier.put(notice)
        end_ns = self._mono.mono_ns() + int(LAST_WORDS_SECONDS * 1e9)
        for courier in courtesy:
            courier.settle(max(0.0, (end_ns - self._mono.mono_ns()) / 1e9))

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """End: what waits has `seconds` to be delivered, and what has not by then becomes letters. Blocks."""
        end_ns = self._mono.mono_ns() + int(seconds * 1e9)
        with self._inbox.changed:
            self._closing = True
            self._inbox.changed.notify_all()
        self._thread.join(seconds)
        for courier in self._couriers:
            courier.hurry()
        for courier in self._couriers:
            untried, under_way = courier.close(max(0.0, (end_ns - self._mono.mono_ns()) / 1e9))
            self._keep(courier.channel, untried, SessionOver("the session ended first"), 0)
            if under_way:  # nobody knows, so the next start tells them again
                log.warning("%d alerts are under way to %s as the session ends", len(under_way), courier.channel.name)
        self._record.close()

    @property
    def lost(self) -> int:
        """Lines of alerts.jsonl that could not be written."""
        return self._record.lost

    # --- what couriers report, from their threads ---

    def sent(self, channel: Channel, notices: Sequence[Notice]) -> None:
        self._record.ended(self._clock.now_ns(), channel.name, "sent", notices)

    def failed(self, channel: Channel, notices: Sequence[Notice], error: NotDelivered, attempts: int) -> None:
        log.warning("%d alerts did not reach %s: %s", len(notices), channel.name, error)
        self._keep(channel, notices, error, attempts)

    def went_down(self, channel: Channel, error: NotDelivered) -> None:
        text = f"{channel.name} ({channel.service}): {error}"
        self._post(AlertKind.UNDELIVERED, text, skips=channel.name)

    def retry_letters(self, channel: Channel) -> None:
        waiting = self._letters_for(channel)
        if not waiting:
            return
        notices = [_payload(letter).notice for letter in waiting]
        try:
            self._lines[channel.name].send(*message(notices))
        except NotDelivered as error:
            self._letters.keep(Operation.ALERT, waiting[0].payload, error)
            return
        for letter in waiting:
            self._letters.done(letter)
        self.sent(channel, notices)

    def _letters_for(self, channel: Channel) -> list[Letter]:
        try:
            return [letter for letter in self._letters.due() if _payload(letter).channel == channel.name]
        except Exception as error:  # books that cannot be read now are told where they matter
            log.warning("the dead letters cannot be read: %s", error)
            return []

    def _deliver(self, payload: str) -> None:
        wanted = msgspec.json.decode(payload, type=AlertPayload)
        self._lines[wanted.channel].send(*message([wanted.notice]))

    def _keep(self, channel: Channel, notices: Sequence[Notice], error: Exception, attempts: int) -> None:
        """Let letters wait. Where the journal takes none either, the file's open line is what the next start finds."""
        kept = [
            notice
            for notice in notices
            if self._letters.keep(Operation.ALERT, _json(AlertPayload(channel.name, notice)), error, attempts)
        ]
        if kept:
            self._record.ended(self._clock.now_ns(), channel.name, "kept", kept, str(error))

    # --- the desk's own thread ---

    def _run(self) -> None:
        try:
            self._tell_again()
            while True:
                posted = self._next()
                for each in posted:
                    self._take(each)
                self._end_folds()
                self._tell_dropped()
                self._remind()
                self._send_head()
                if not posted and self._closing:
                    self._end_folds(all_of_them=True)
                    return
        except Exception:  # the top of the thread: alerts have ended, and the log is the place left to say so
            log.exception("the alerts failed: nothing more is sent in this run")

    def _next(self) -> list[Posted]:
        with self._inbox.changed:
            if not len(self._inbox) and not self._closing:
                due_ns = [fold.until_ns for fold in self._folds.values()]
                due_ns += [self._head_due_ns] if self._sign_head else []
                due_ns += [due] if (due := self._reminders.due_ns()) is not None else []
                wait_s = max(0.0, (min(due_ns) - self._mono.mono_ns()) / 1e9) if due_ns else None
                self._inbox.changed.wait(wait_s)
            return self._inbox.take_all()

    def _tell_again(self) -> None:
        """What an earlier run handed over without an answer, and what it decided but may not have told."""
        for notice, channels in unfinished(self._earlier).values():
            again = msgspec.structs.replace(notice, again=True)
            for courier in self._couriers:
                if courier.channel.name in channels:
                    self._hand_over(courier, again)
        known = {line.notice.alert_id for line in self._earlier if isinstance(line, AlertLine)}
        self._earlier = ()
        for run_id, kind, text, at_ns in self._replayed:
            notice = self._compose(kind, text, at_ns, run_id)
            if notice.alert_id not in known:
                self._route(msgspec.structs.replace(notice, again=True))

    def _take(self, posted: Posted) -> None:
        notice = posted.notice
        key = notice.kind, fingerprint(notice.kind, notice.text)
        fold = self._folds.get(key)
        if fold is not None:
            fold.notice, fold.count = notice, fold.count + 1
            self._record.raised(notice, (), folded=True)
            return
        if KINDS[notice.kind].folds:
            self._folds[key] = Fold(notice, self._mono.mono_ns() + self._repeat_ns)
        self._route(notice, posted.skips)

    def _end_folds(self, all_of_them: bool = False) -> None:
        """Tell of what was only counted, once its window is over."""
        now_ns = self._mono.mono_ns()
        for key, fold in list(self._folds.items()):
            if fold.until_ns > now_ns and not all_of_them:
                continue
            del self._folds[key]
            if fold.count:
                text = f"{fold.notice.text} (the last of {fold.count + 1} within {duration_text(self._repeat_ns)})"
                again = self._compose(fold.notice.kind, text, fold.notice.at_ns, fold.notice.run_id)
                self._route(msgspec.structs.replace(again, more=fold.count))

    def _tell_dropped(self) -> None:
        dropped = self._inbox.dropped + self._dropped_queued
        if dropped > self._dropped_told and not len(self._inbox):
            text = f"{dropped - self._dropped_told} alerts more than the queues hold"
            self._dropped_told = dropped
            self._route(self._compose(AlertKind.ALERTS_DROPPED, text, 0, self._run_id))

    def _remind(self) -> None:
        """Tell again what nobody has answered, and say when that has lasted too long."""
        now_ns = self._mono.mono_ns()
        if text := self._reminders.reminder(now_ns):
            self._route(self._compose(AlertKind.UNANSWERED, text, 0, self._run_id))
        if text := self._reminders.pause(now_ns):
            self._on_unanswered(text)

    def _send_head(self) -> None:
        """The journal's signed head, when it is due and as the run ends."""
        if self._sign_head is None or not (self._closing or self._mono.mono_ns() >= self._head_due_ns):
            return
        self._head_due_ns = self._mono.mono_ns() + self._heads_every_ns
        try:
            self._route(self._compose(AlertKind.SIGNED_HEAD, self._sign_head(), 0, self._run_id))
        except Exception as error:  # a journal in trouble is alerted where it is met
            log.warning("the journal's head was not sent: %s", error)
        if self._closing:
            self._sign_head = None

    def _route(self, notice: Notice, skips: str = "") -> None:
        """On the disk first, then to every channel of its severity."""
        self._reminders.raised(notice, self._mono.mono_ns())
        wanting = [courier for courier in self._wanting(notice) if courier.channel.name != skips]
        self._record.raised(notice, [courier.channel.name for courier in wanting])
        for courier in wanting:
            self._hand_over(courier, notice)

    def _hand_over(self, courier: Courier, notice: Notice) -> None:
        gone = courier.put(notice)
        if gone is not None:
            self._dropped_queued += 1
            self._record.ended(self._clock.now_ns(), courier.channel.name, "dropped", [gone], "its queue was full")

    # --- small ---

    def _wanting(self, notice: Notice) -> list[Courier]:
        return [courier for courier in self._couriers if notice.severity in courier.channel.severities]

    def _compose(self, kind: AlertKind, text: str, at_ns: int, run_id: str) -> Notice:
        return compose(kind, self._scrubber.text(text), at_ns or self._clock.now_ns(), run_id, self._sender)

    def _post(self, kind: AlertKind, text: str, at_ns: int = 0, skips: str = "") -> None:
        notice = self._compose(kind, text, at_ns, self._run_id)
        self._inbox.put(Posted(notice, skips), notice.severity is Severity.CRITICAL)


def _payload(letter: Letter) -> AlertPayload:
    return msgspec.json.decode(letter.payload, type=AlertPayload)


def _json(payload: AlertPayload) -> str:
    return msgspec.json.encode(payload).decode()


def _log_letter(where: str, text: str, _: BaseException) -> None:
    """An alert that fails is no error of the desk: channels that are down must not end it by its error limit."""
    log.info("%s", text)
