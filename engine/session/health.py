"""Health: whether a running desk does its work. Blocks and kills are no illness; a desk that is blind or mute is."""

from typing import Final

from engine.core.events import FeedHealth, SessionPhase
from engine.core.times import stretch
from engine.core.view import DeskView, WorkView
from engine.session.resources import Resources
from engine.session.shell import Shell
from engine.session.work import EXECUTION, JOURNAL, MARKET_DATA

ALIVE: Final = (SessionPhase.INITIALIZING, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING)
LAG_MAX_US: Final = 250_000


def unhealthy(shell: Shell, works: tuple[WorkView, ...], resources: Resources) -> tuple[str, ...]:
    """What is wrong with the desk, a sentence each, the gravest first; empty: data flows, orders are answered, the
    journal commits, the loop is on time, every task turns and nothing is about to run out.
    """
    told = []
    if shell.journal_error:
        told.append(f"the journal failed: {shell.journal_error}")
    told += [_late(work) for work in works if work.age_ns > work.limit_ns and work.name != MARKET_DATA]
    told += _blind(shell)
    if shell.endpoint is not None and shell.endpoint.problem:
        told.append(f"no signed command can be taken: {shell.endpoint.problem}")
    lag_us = shell.loop_lag_us.recent(99)
    if lag_us > LAG_MAX_US:
        told.append(f"the loop is late by {lag_us // 1000} ms (p99)")
    return (*told, *resources.wrong())


def is_healthy(view: DeskView | None) -> tuple[bool, tuple[str, ...]]:
    """Whether a desk does its work by its own view, and what is wrong. That it is old is for its reader to see."""
    if view is None:
        return False, ("the desk shows nothing yet",)
    ended = () if view.phase in ALIVE else (f"the session is {view.phase}",)
    reasons = (*view.heartbeat.unhealthy, *ended)
    return not reasons, reasons


def _late(work: WorkView) -> str:
    ages = f"{stretch(work.age_ns)}, {stretch(work.limit_ns)} at most"
    if work.name == JOURNAL:
        return f"a batch waits for the disk for {ages}"
    if work.name == EXECUTION:
        return f"an order call has had no answer for {ages}"
    return f"{work.name} has done nothing for {ages}"


def _blind(shell: Shell) -> list[str]:
    """The symbols without data while their market is open: by the calendar, silence there is no rest."""
    engine = shell.runner.engine
    dead = [
        symbol
        for symbol in engine.desk.instruments
        if engine.desk.is_open(symbol) and engine.state.symbols[symbol].health is not FeedHealth.LIVE
    ]
    if not dead:
        return []
    since_ns = max(engine.state.symbols[symbol].last_ns for symbol in dead)
    silent = f"for {stretch(shell.clock.now_ns() - since_ns)}" if since_ns else "yet"
    return [f"no data of {', '.join(dead[:3])}{' …' if len(dead) > 3 else ''} {silent}"]
