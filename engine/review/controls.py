"""Forty-six controls that regulated trading asks for, translated for a small desk, and where this one shows each.

A yardstick and nothing more: the desk is no regulated firm, and nothing here claims that it meets a rule. A control is
shown (by tests and documents of the program, tables of the journal, commands), open (what is missing is said), or not
applicable (why is said). Sources: Commission Delegated Regulation (EU) 2017/589, US Rule 15c3-5, the FIA's best
practices of 2024, the SEC's order on Knight Capital of 2013.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Standing(StrEnum):
    SHOWN = "shown"
    OPEN = "open"
    NOT_APPLICABLE = "not applicable"


class Control(NamedTuple):
    """One control. `links`: files of the program, `table NAME`, `command WORDS`; `why` for what is not just shown."""

    id: str
    name: str
    asks: str
    standing: Standing
    links: tuple[str, ...]
    why: str = ""


_TABLE: Final = """
C-01|Cancel everything now|as an emergency, cancel all orders at once|tests/e2e/test_e2e_kill.py, benchmarks/killing.py, table kill_changes, command kill
C-02|Attribution of each order|know the algorithm and the person behind it|table orders, table operator_acts|open: the kill stops the whole desk; one strategy or symbol alone cannot be killed
C-03|The kill works when the rest does not|an independent path|tests/session/test_guard.py, tests/store/test_kill.py, docs/safety-controls.md
C-04|The kill is latched|no silent return|tests/core/test_safety.py, tests/store/test_kill.py, command rearm
C-05|Price collar|no order away from a reference price|engine/core/checks_order.py, tests/core/test_refusals.py, table evaluations
C-06|Largest order value|an upper bound in money|engine/core/checks_order.py, tests/core/test_refusals.py, table outcomes
C-07|Largest order volume|an upper bound in quantity|engine/core/checks_order.py, tests/core/test_refusals.py
C-08|Most messages|limit messages to the venue|tests/core/test_pace.py, docs/safety-controls.md
C-09|Repeated executions|stop a strategy after so many until a person re-enables it|tests/core/test_breakers.py|open: breakers count losses, refusals and slippage, not executions
C-10|All orders count at once|a sent order uses its limit immediately|tests/core/test_standing.py, tests/core/test_candidate.py
C-11|Position, exposure and loss limits|pre-set, aggregate, by capital|engine/core/limits.py, tests/core/test_candidate.py, docs/safety-controls.md
C-12|Duplicate orders|find orders that repeat|engine/core/checks_order.py, tests/core/test_refusals.py
C-13|Override procedure|specific, temporary, authorised, told|tests/review/test_live_gate.py, table gate_records, command gate
C-14|Controls under own control|the strategy cannot reach its limits|pyproject.toml, tests/strategies/test_own_strategy.py
C-15|Limits have a reason|reasoned levels|command doctor, docs/safety-controls.md
C-16|Authorisation to trade|only permitted instruments and persons|tests/store/test_gate.py, tests/session/test_api_signing.py, table gate_records
C-17|Monitoring in real time|by the person in charge and an independent function|docs/metrics.md, docs/remote-control.md|open: no second program computes the positions from the venue alone
C-18|Alerts within five seconds|no later after the event|benchmarks/alerts.py, docs/alerts.md
C-19|Alerts are read|they demand an answer|tests/session/test_alerts_run.py, docs/alerts.md, command alert ack
C-20|Controls after the trade|running all the time, and able to stop|tests/core/test_breakers.py, table breaker_changes
C-21|Own record against the venue's|compare, and act on a difference|tests/core/test_reconciliation.py, table reconciliations
C-22|Complete, consistent records|accurate, and replayable|tests/store/test_audit.py, tests/review/test_replay.py, command audit verify
C-23|Patterns like manipulation|counted and reviewed|table orders|open: cancels and self-crossings are on record and not counted as patterns
C-24|Development and test method|written down, signed for each release|docs/architecture.md, docs/reliability.md, tests/mutants.py|open: no person's sign-off of a release is kept
C-25|Conformance with the venue|at first use and after material changes|tests/venues/bitunix/test_bitunix_on_sim.py, tests/venues/bitunix/test_bitunix_frames.py|open: the live gate does not ask for its result
C-26|A separate test environment|tests never touch production|tests/session/test_config.py, tests/store/test_database.py
C-27|Controlled deployment|instruments, value, positions set beforehand|engine/review/live_gate.py, tests/session/test_live_gate.py, docs/validation.md
C-28|Self-assessment|with evidence, at least once a year|command certify, engine/review/controls.py
C-29|Stress test|twice the busiest load|benchmarks/flood.py, benchmarks/burst.py, docs/performance.md
C-30|Material changes|reviewed, and they close the gate|tests/review/test_live_gate.py, tests/session/test_program.py
C-31|Continuity|scenarios, runbook, open exposure|docs/unattended.md, docs/faults.md, tests/core/test_outage.py
C-32|Orders do not outlive the desk unnoticed|cancel on disconnect, or stops that stay|tests/e2e/test_e2e_crash.py, docs/architecture.md|n/a: no venue of this version offers it; resting stops stay at the broker, and the next start reads them back
C-33|Security and access|tests, scans, a list of those with access|tests/session/test_scrub.py, tests/session/test_secret_store.py, docs/remote-control.md|open: no penetration test was made
C-34|People can use the kill|it is practised|command drill, tests/console/test_drill.py
C-35|Four eyes|who may do what|docs/validation.md, table gate_records|open: one person may judge, admit and confirm; the record names who
C-36|Outsourcing|libraries known, pinned, reviewed|requirements.lock, tests/session/test_interpreter.py
C-37|No dead code behind flags|removed, never reused|pyproject.toml|open: unused code is looked for by people, no check fails for it
C-38|The same version everywhere|verify what runs|tests/session/test_program.py, engine/session/program.py
C-39|Incidents are not made worse|the known safe action first|docs/unattended.md, docs/alerts.md
C-40|Exposure from every fill|also from those nobody asked for|tests/core/test_believing.py, tests/core/test_reconciliation.py
C-41|Errors before the open count|checks block the start|command doctor, command errors|open: errors of the last run are told and do not block the next
C-42|Clock|the distance from UTC is known|tests/session/test_venue_time.py, tests/session/test_clock.py
C-43|Records cannot be changed unseen|every change is found|tests/store/test_chain.py, tests/store/test_heads.py, table signed_heads
C-44|Retention and export|readable without the product|tests/store/test_export.py, docs/audit.md, command audit export
C-45|Halts are respected|entries stop while a venue halts|tests/core/test_halts.py, tests/core/test_market_hours.py
C-46|Drop copy|a second stream of executions|tests/core/test_reconciliation.py|n/a: no venue of this version has one; the books are compared with the venue's own instead
"""  # noqa: E501 - one control a line


def _controls() -> Iterator[Control]:
    for line in _TABLE.strip().splitlines():
        id_, name, asks, links, *rest = line.split("|")
        word, _, why = rest[0].partition(": ") if rest else ("", "", "")
        standing = {"open": Standing.OPEN, "n/a": Standing.NOT_APPLICABLE}.get(word, Standing.SHOWN)
        yield Control(id_, name, asks, standing, tuple(link.strip() for link in links.split(",")), why)


CONTROLS: Final = tuple(_controls())


def counts(controls: tuple[Control, ...] = CONTROLS) -> Mapping[str, int]:
    """How many stand how."""
    return {each.value: sum(one.standing is each for one in controls) for each in Standing}
