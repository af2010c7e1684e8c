"""Every kind of alert: how grave it is, what it is called, what the desk does by itself, what an operator should do.

The one table both the desk and docs/alerts.md are read from. What happened is said by whoever raises the alert.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from engine.core.words import AlertKind as K
from engine.core.words import Severity

INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL


class Words(NamedTuple):
    """One kind. `folds`: the same one again within the window is counted instead of sent."""

    severity: Severity
    title: str
    did: str
    todo: str
    folds: bool = True


_NOTHING: Final = "nothing beyond its record"
_ENDED: Final = "ended the session in order: orders cancelled, positions closed unless they are to be kept"
_NO_ENTRIES: Final = "stopped entries; positions keep their stops"

KINDS: Final[Mapping[K, Words]] = {
    K.KILL: Words(
        CRITICAL,
        "kill switch",
        "closed the gate, cancelled orders, closed positions unless on_kill keeps them, and ends the session",
        "find out why; `nightdesk status`, then `nightdesk rearm` once it is safe to start again",
        folds=False,
    ),
    K.REARMED: Words(INFO, "kill latch cleared", "entries are possible again", "nothing, if it was you", folds=False),
    K.PAUSED: Words(
        WARNING,
        "entries paused",
        "cancelled what was to enter; positions keep their stops",
        "`nightdesk resume` when ready",
        folds=False,
    ),
    K.RESUMED: Words(
        INFO, "entries resumed", "enters again where nothing else blocks", "nothing, if it was you", folds=False
    ),
    K.BREAKER: Words(
        CRITICAL,
        "circuit breaker tripped",
        "stopped entries and cancelled working ones; what else its action says",
        "`nightdesk status` says why and what lifts it; `nightdesk reset-breaker NAME --reason TEXT` if explained",
        folds=False,
    ),
    K.BREAKER_RELEASED: Words(INFO, "circuit breaker released", "counts anew", "nothing", folds=False),
    K.ERROR_LIMIT: Words(
        CRITICAL,
        "error limit reached",
        "stopped entries; at the limit of a session, ends it",
        "`nightdesk errors` says what went wrong; then reset-breaker, or start again",
        folds=False,
    ),
    K.RECONCILIATION: Words(
        CRITICAL,
        "books differ from the broker's",
        "stopped entries until both books agree, and compares again",
        "`nightdesk reconcile`; look at the broker; `nightdesk reconcile --adopt ID --reason TEXT` if it is right",
    ),
    K.RECONCILED: Words(INFO, "discrepancy resolved", "lifts the block on entries once all books agree", "nothing"),
    K.LEDGER: Words(
        CRITICAL,
        "the two ledgers differ",
        f"{_NO_ENTRIES}; nothing is corrected by itself",
        "stop the desk and keep its files: this is a fault in the program or in its record",
    ),
    K.STALE_DATA: Words(
        WARNING,
        "no fresh market data",
        f"{_NO_ENTRIES}, and keeps reconnecting",
        "look at the venue and the network; positions are guarded at the broker alone meanwhile",
    ),
    K.FRESH_DATA: Words(INFO, "market data is fresh again", "lifted the block on entries", "nothing"),
    K.INSTRUMENT_CHANGED: Words(
        CRITICAL,
        "an instrument's rules changed, or it is gone",
        "stopped entries in it; positions keep their stops and can be closed",
        "look at the venue: is it delisted? Close what is held, or start the desk again to trade by the new rules",
    ),
    K.LIQUIDATION: Words(
        CRITICAL,
        "liquidated by the broker",
        _NO_ENTRIES,
        "look at the account; `nightdesk reset-breaker liquidation --reason TEXT` once explained",
    ),
    K.SHADOW_LIQUIDATION: Words(
        WARNING, "would be liquidated under other fills", _NOTHING, "ask whether positions are too large"
    ),
    K.HEAT: Words(
        WARNING, "heat above its limit", "enters nothing until it is below; closes nothing", "look at the positions"
    ),
    K.LOSS_ABOVE_LIMIT: Words(
        WARNING, "a trade lost more than its limit", _NOTHING, "`nightdesk explain last`: a gap, or a late stop?"
    ),
    K.UNJUDGED_ENTRY: Words(
        CRITICAL,
        "an entry could not be judged",
        "refused it",
        "`nightdesk errors`: a safety check raised, which is a fault in the program",
    ),
    K.EXPOSURE_SPIKE: Words(WARNING, "exposure rose sharply", _NOTHING, "look at the positions"),
    K.REGIME_UNKNOWN: Words(
        WARNING, "volatility regime unknown", "holds to the smallest heat limit", "look after the index file"
    ),
    K.STUCK_ORDER: Words(WARNING, "order without an answer", "asks the venue about it", "look at the venue"),
    K.LATE_ORDER: Words(
        WARNING, "order accepted late", "cancels it: it was given up", "see that it is gone at the venue"
    ),
    K.LATE_FILL: Words(WARNING, "late fill", "booked it", "compare the position with the venue's"),
    K.UNKNOWN_FILL: Words(
        CRITICAL,
        "fill of an order the desk did not send",
        "stopped entries until the books agree",
        "look at the venue: who trades on this account? Then `nightdesk reconcile`",
    ),
    K.IMPOSSIBLE_FILL: Words(
        CRITICAL,
        "a fill that cannot be",
        "kept it off the books and stopped entries",
        "look at the venue; `nightdesk reconcile --adopt ID --reason TEXT` books it, `nightdesk reconcile` lets it go "
        "once both books agree without it",
    ),
    K.UNPLANNED_POSITION: Words(
        CRITICAL, "position nobody planned", "closes it", "see that it is gone; find out where it came from"
    ),
    K.NO_RESTING_STOP: Words(
        CRITICAL,
        "position without a resting stop",
        "watches the stop itself and closes at it",
        "keep the desk running, or `nightdesk flatten`: without the desk nothing guards the position",
    ),
    K.STOP_PASSED: Words(INFO, "price passed a stop", "waits three seconds for the broker to fill it", "nothing"),
    K.STOP_NOT_FILLED: Words(
        WARNING, "stop not filled in time", "closes the position at market", "compare fill and stop"
    ),
    K.EXIT_WAITS: Words(
        WARNING, "an exit waits for its market", "closes at the opening", "be there at the opening: it may gap"
    ),
    K.RESTORED: Words(
        CRITICAL,
        "journal restored or cut short",
        f"started on what there is; {_NO_ENTRIES}",
        "`nightdesk audit verify`; compare with the broker; then `nightdesk resume`",
    ),
    K.OUTAGE: Words(
        WARNING, "orders unwatched while away", _NO_ENTRIES, "look at positions and orders, then `nightdesk resume`"
    ),
    K.RUN_STARTED: Words(INFO, "run started", "trades as configured", "nothing", folds=False),
    K.RUN_ENDED: Words(INFO, "run ended", "wrote its report", "nothing, if it was meant to end", folds=False),
    K.RUN_FAILED: Words(
        CRITICAL,
        "run ended by an error",
        "ended as far in order as it could, and wrote what it could",
        "`nightdesk errors --run latest`; then start again: the books are recovered",
        folds=False,
    ),
    K.GATE_CHANGED: Words(
        CRITICAL,
        "the live gate has another level",
        "holds back live entries the level does not allow; exits go on, and paper is not touched",
        "`nightdesk gate` says what the evidence lacks",
    ),
    K.GATE_BYPASSED: Words(
        CRITICAL,
        "the live gate is bypassed",
        "lets live positions of one euro through until the bypass ends",
        "was it meant? It ends by itself; `nightdesk gate` says when",
        folds=False,
    ),
    K.CRASHED: Words(
        CRITICAL,
        "the last run ended without saying goodbye",
        "recovered the books from the journal and went on",
        "runs/<id>/stacks.txt and logs/system.jsonl of that run; was it killed, or the machine?",
        folds=False,
    ),
    K.CRASH_LOOP: Words(
        CRITICAL,
        "crash loop",
        _NO_ENTRIES,
        "runs/<id>/stacks.txt and logs/system.jsonl of the runs named; `nightdesk doctor`; then `nightdesk resume`",
    ),
    K.WATCHDOG_FATAL: Words(
        CRITICAL,
        "the desk froze and ended itself",
        "wrote every thread's stack and ended the process; orders at the broker stay as they are",
        "start it again: positions have nobody but their stops at the broker; stacks.txt names the line",
        folds=False,
    ),
    K.SLOW_LOOP: Words(CRITICAL, "event loop late", _ENDED, "look at the machine: CPU, disk, swap"),
    K.PROCESS_PAUSED: Words(
        WARNING, "the whole process stood still", "goes on, on fresh data", "was the machine suspended or starved?"
    ),
    K.MEMORY: Words(CRITICAL, "memory limit exceeded", _ENDED, "keep the logs; start again"),
    K.DISK: Words(WARNING, "the disk is nearly full", _NO_ENTRIES, "make room: df, du; old runs and backups"),
    K.DISK_FREE: Words(INFO, "there is room on the disk again", "lifted the block on entries", "nothing"),
    K.UNHEALTHY: Words(
        WARNING,
        "the desk does not do its work",
        _NOTHING,
        "`nightdesk status`; the network, the venue, the disk",
    ),
    K.JOURNAL: Words(
        CRITICAL,
        "journal cannot be written",
        "closed the gate, went on in emergency.jsonl, and ends the session",
        "look at the disk: full, read-only, failing? The next start reads the record back",
    ),
    K.CORE_FAILED: Words(
        CRITICAL,
        "the core failed",
        "closed the gate and ended the session; nothing it believed then was written",
        "keep the files: this is a fault in the program; orders at the broker stay as they are",
    ),
    K.TASK_FAILED: Words(CRITICAL, "a task of the session ended", _ENDED, "`nightdesk errors --run latest`"),
    K.FILES_LOST: Words(
        CRITICAL, "the desk's files were removed or replaced", _ENDED, "find out who did it before the next start"
    ),
    K.CHANGED: Words(
        WARNING,
        "something was changed under the running desk",
        "goes on with what it has",
        "find out who did it; start the desk again when it suits",
    ),
    K.CLOCK: Words(
        WARNING, "the machine's clock is wrong or was set", "goes on by its own clock", "look at NTP: timedatectl"
    ),
    K.DEAD_LETTER: Words(
        WARNING,
        "an operation failed for good",
        "keeps it and tries again every hour",
        "`nightdesk dead-letters list`",
    ),
    K.UNDELIVERED: Words(
        WARNING,
        "an alert channel does not answer",
        "keeps its alerts as dead letters and tries again",
        "`nightdesk alert test --channel NAME`",
    ),
    K.UNANSWERED: Words(
        CRITICAL,
        "nobody has answered a critical alert",
        "tells it again every remind_every; pauses entries after pause_unanswered, where that is set",
        "look at the desk, then `nightdesk alert ack`; every other command to it is an answer, too",
        folds=False,
    ),
    K.ALERTS_DROPPED: Words(
        WARNING,
        "alerts were dropped",
        "counted them; lesser ones went before critical ones, and the journal has what they were about",
        "read alerts.jsonl",
    ),
    K.WEEK_ENDED: Words(INFO, "a week is over", "wrote its summary into artifacts", "read it", folds=False),
    K.SIGNED_HEAD: Words(
        INFO,
        "signed head of the journal",
        "signed what the journal holds",
        "keep it where the desk cannot reach it: `nightdesk audit verify --heads FILE` proves nothing was cut",
        folds=False,
    ),
    K.SECRET_DUE: Words(
        WARNING,
        "a secret is due to be changed",
        _NOTHING,
        "make a new one and write its date into secrets.toml; live refuses one that is too old",
    ),
    K.TEST: Words(INFO, "test alert", "nothing", "nothing: somebody tried `nightdesk alert test`", folds=False),
}
"""In the order of docs/alerts.md."""
