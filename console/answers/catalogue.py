"""What every command answers with `--json`, declared: `docs/commands.schema.json` is made of this, tests hold the two
and the real answers to each other.

Money and ratios are decimal text, times ending in `_ns` nanoseconds since 1970 in UTC, other times ISO 8601 in UTC. An
answer keeps the keys it has; new ones may come.
"""

import json
from typing import Any, Final

import msgspec

from console.answers.acts import Drill, KillFile, Latch, Receipt, Reconciled, RemoteReceipt, StopReceipt
from console.answers.base import Refused
from console.answers.record import Proven, Prunable, Pruned, Replayed, Report, Row, Verified
from console.answers.review import Analyzed, PeriodTold, Reviewed
from console.answers.status import ProtocolStanding, Status, Stopped
from console.answers.upkeep import (
    Cleaned,
    Completion,
    ConfigInForce,
    Discarded,
    FactLine,
    Finding,
    GoodConfig,
    Ports,
    Retried,
)
from console.answers.validation import (
    Admitted,
    Bypassed,
    CertificateChecked,
    Certified,
    ControlShown,
    Gate,
    StageEnded,
    Validated,
)
from console.commands.alerts import Known, Tried
from console.commands.days import Day
from console.commands.runs import Run
from engine.review.compare import Comparison
from engine.session.api.signing import SignedCommand
from engine.session.dead_letters import Letter
from engine.session.ports import SignedHead
from store.export import Exported
from store.records import ErrorRecord, TraceRecord

OPEN: Final = (FactLine, Ports)
"""These may have more keys than are named."""
BY_LINE: Final = frozenset({"audit query", "replay"})
"""Commands that answer with one JSON value a line, and not with one in all."""

_ACTED: Final = (Receipt,)
_VALIDATED: Final = (Validated, ProtocolStanding)
ANSWERS: Final[dict[str, tuple[Any, ...]]] = {
    "run": (Report,),
    "attach": (),
    "serve": (),
    "status": (Status, Stopped),
    "pause": _ACTED,
    "resume": _ACTED,
    "kill": (Receipt, KillFile),
    "drill": (Drill,),
    "rearm": (Receipt, Latch),
    "flatten": _ACTED,
    "reset-breaker": _ACTED,
    "reconcile": (Reconciled, Receipt),
    "stop": (StopReceipt,),
    "runs": (list[Run],),
    "explain": (list[TraceRecord],),
    "replay": (Verified, Replayed, FactLine),
    "errors": (list[ErrorRecord],),
    "report": (Reviewed, Day, PeriodTold, Comparison),
    "analyze": (Analyzed,),
    "doctor": (list[Finding],),
    "clean": (Cleaned,),
    "completion": (Completion,),
    "venue": (Ports,),
    "alert ack": _ACTED,
    "alert test": (list[Tried],),
    "alert list": (list[Known],),
    "audit verify": (Proven,),
    "audit head": (SignedHead,),
    "audit query": (Row,),
    "audit export": (Exported,),
    "audit prune": (Prunable, Pruned),
    "config check": (GoodConfig,),
    "config show": (ConfigInForce,),
    "dead-letters list": (list[Letter],),
    "dead-letters retry": (Retried,),
    "dead-letters discard": (Discarded,),
    "remote kill": (RemoteReceipt,),
    "remote pause": (RemoteReceipt,),
    "remote flatten": (RemoteReceipt,),
    "remote status": (Status,),
    "remote sign": (SignedCommand,),
    "remote key": (),
    "gate": (Gate, Admitted, Bypassed),
    "progressive": (StageEnded,),
    "certify": (Certified, CertificateChecked, list[ControlShown]),
    "validate autonomy": _VALIDATED,
    "validate 72h": _VALIDATED,
    "validate week": _VALIDATED,
    "validate audit": _VALIDATED,
    "validate check": (Validated,),
}
"""By command, each of its possible answers; beside them every one may answer `Refused`. None: it has no JSON answer."""


def problem(command: str, text: str) -> str:
    """Why `text` is no answer of `command`; empty if it is one."""
    values = text.splitlines() if command in BY_LINE else [text]
    return next((why for value in values if (why := _problem((*ANSWERS.get(command, ()), Refused), value))), "")


def schema() -> dict[str, Any]:
    """The JSON Schema of all answers: under `commands` by command, each with the types it refers to under `$defs`."""
    types = [*dict.fromkeys(each for answers in ANSWERS.values() for each in answers), Refused]
    made, defs = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    by_type = dict(zip(types, made, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What nightdesk answers with --json",
        "commands": {
            command: {"by_line": command in BY_LINE, "anyOf": [by_type[each] for each in (*answers, Refused)]}
            for command, answers in ANSWERS.items()
        },
        "$defs": defs,
    }


def schema_text() -> str:
    return json.dumps(schema(), indent=1, sort_keys=False) + "\n"


def _problem(types: tuple[Any, ...], text: str) -> str:
    """Why `text` is none of `types`, by what comes closest: the keys must be all of them and no others."""
    reasons = []
    for each in types:
        try:
            found = msgspec.json.decode(text, type=each)
        except msgspec.MsgspecError as wrong:
            reasons.append(f"{each}: {wrong}")
            continue
        given = json.loads(text)
        if each in OPEN or json.loads(msgspec.json.encode(found)) == given:
            return ""
        reasons.append(f"{each}: its keys are others: {given}")
    return "; ".join(reasons)
