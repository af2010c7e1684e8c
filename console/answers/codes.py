"""The exit codes of every command, and what each means there: docs/commands.md has them, tests hold them."""

from typing import Final

from console.exits import Exit

ALWAYS: Final = {
    Exit.ERROR: "it could not be done: the message says why",
    Exit.USAGE: "wrong usage, or the configuration is refused",
}
"""Any command may end so."""

_NO_DESK: Final = {Exit.NOT_RUNNING: "no desk runs"}
_RUNNING: Final = {Exit.ALREADY_RUNNING: "a desk runs: nothing was touched"}
_ACT: Final = {Exit.DONE: "in force", Exit.ERROR: "the desk refused", **_NO_DESK}
_READ: Final = {
    Exit.DONE: "printed",
    Exit.USAGE: "wrong usage, no desk has run yet, or there is no such thing",
}
_VALIDATE: Final = {
    Exit.DONE: "the verdict is PASS; or it was stopped in order and is not over",
    Exit.ERROR: "it could not be done, or another protocol is under way",
    Exit.ALREADY_RUNNING: "another desk runs in this home and environment",
    Exit.FAILED_CHECK: "the verdict is FAIL",
}
_REMOTE: Final = {Exit.DONE: "the desk there obeyed", Exit.ERROR: "it refused, or could not be reached"}

CODES: Final[dict[str, dict[Exit, str]]] = {
    "run": {
        Exit.DONE: "the run ended in order: its duration or data, a stop, a kill that shut down cleanly",
        Exit.ERROR: "an error or a safety stop (breaker, stale data, watchdog, memory)",
        Exit.ALREADY_RUNNING: "another desk runs in this home and environment",
    },
    "attach": {
        Exit.DONE: "the console was left",
        Exit.ERROR: "the console was lost",
        **_NO_DESK,
    },
    "serve": {
        Exit.DONE: "it was told to end",
        Exit.ERROR: "it cannot listen there, or textual-serve is not installed",
        **_NO_DESK,
    },
    "status": {Exit.DONE: "a desk runs", **_NO_DESK, Exit.FAILED_CHECK: "with --check: it is not healthy"},
    "pause": _ACT,
    "resume": {**_ACT, Exit.ERROR: "refused, or something else still blocks entries"},
    "kill": {
        Exit.DONE: "killed, by the desk itself or by the kill file it will read",
        Exit.NOT_RUNNING: "no desk runs; the kill file stands all the same, and the next start refuses entries",
    },
    "drill": {Exit.DONE: "every way of killing works", Exit.FAILED_CHECK: "one did not do what it promises"},
    "rearm": {
        Exit.DONE: "the latch is cleared; without --confirm: the token is shown, or nothing is latched",
        Exit.ERROR: "the token is of another latch, or kill file or variable still stand",
        Exit.ALREADY_RUNNING: "a desk is just starting",
    },
    "flatten": _ACT,
    "reset-breaker": _ACT,
    "reconcile": {Exit.DONE: "both books agree", Exit.ERROR: "they do not, or cannot be compared", **_NO_DESK},
    "stop": {
        Exit.DONE: "stopped; with --no-wait: asked to",
        Exit.ERROR: "it still runs after a minute",
        **_NO_DESK,
    },
    "runs": _READ,
    "explain": _READ,
    "replay": {**_READ, Exit.FAILED_CHECK: "with --verify: the run decides otherwise than it did"},
    "errors": _READ,
    "report": {
        **_READ,
        Exit.DONE: "printed, and of a run the files are written",
        Exit.FAILED_CHECK: "with --verify: file, seal and journal are not one",
    },
    "analyze": {**_READ, Exit.FAILED_CHECK: "a breakdown does not sum to the whole"},
    "doctor": {Exit.DONE: "nothing stands in the way of a run", Exit.ERROR: "a check has failed"},
    "clean": {Exit.DONE: "removed, or there was nothing", **_RUNNING},
    "completion": {Exit.DONE: "printed"},
    "venue": {Exit.DONE: "ended by SIGINT or SIGTERM"},
    "alert ack": {**_ACT, Exit.DONE: "on record"},
    "alert test": {Exit.DONE: "every channel took it", Exit.ERROR: "one did not"},
    "alert list": {Exit.DONE: "printed"},
    "audit verify": {**_READ, Exit.DONE: "as it was written", Exit.FAILED_CHECK: "something is not as it was written"},
    "audit head": {**_READ, Exit.ERROR: "no head is signed yet"},
    "audit query": _READ,
    "audit export": {**_READ, Exit.DONE: "written"},
    "audit prune": {
        **_READ,
        Exit.DONE: "archived; without --yes: said what would be",
        **_RUNNING,
        Exit.FAILED_CHECK: "the journal does not verify: nothing was moved",
    },
    "config check": {Exit.DONE: "it can be used", Exit.USAGE: "it is refused, every problem named"},
    "config show": {Exit.DONE: "printed"},
    "dead-letters list": _READ,
    "dead-letters retry": {Exit.DONE: "all done, or none waits", Exit.ERROR: "one failed again", **_RUNNING},
    "dead-letters discard": {Exit.DONE: "given up", **_RUNNING},
    "remote kill": _REMOTE,
    "remote pause": _REMOTE,
    "remote flatten": _REMOTE,
    "remote status": {
        **_REMOTE,
        Exit.DONE: "it runs and is healthy",
        **_NO_DESK,
        Exit.FAILED_CHECK: "it is not healthy",
    },
    "remote sign": {Exit.DONE: "printed"},
    "remote key": {Exit.DONE: "printed"},
    "progressive": {
        Exit.DONE: "the stage is passed",
        Exit.ALREADY_RUNNING: "another desk runs in this home and environment",
        Exit.FAILED_CHECK: "it is not passed, or the live gate allows no order",
    },
    "certify": {
        Exit.DONE: "GO; genuine; printed",
        **_RUNNING,
        Exit.FAILED_CHECK: "NO-GO; or the certificate is worth nothing",
    },
    "gate": {
        Exit.DONE: "printed; admitted; bypassed",
        **_RUNNING,
        Exit.FAILED_CHECK: "the verdict to be admitted is foreign, or its signature does not hold",
    },
    "validate autonomy": _VALIDATE,
    "validate 72h": _VALIDATE,
    "validate week": _VALIDATE,
    "validate audit": _VALIDATE,
    "validate check": {
        Exit.DONE: "it passed, and the record still says so",
        Exit.FAILED_CHECK: "it did not pass, or the record says otherwise now",
    },
}


def codes_of(command: str) -> dict[Exit, str]:
    """Every code `command` may end with, in order."""
    found = {**ALWAYS, **CODES[command]}
    return {code: found[code] for code in Exit if code in found}
