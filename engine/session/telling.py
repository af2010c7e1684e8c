"""What a session has to do with its alerts: who speaks, to whom, and what is said when a run begins and ends."""

import socket
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from engine.core import money
from engine.core.times import stretch
from engine.core.view import DeskView
from engine.core.words import AlertKind
from engine.review.moments import instant
from engine.session.alerting.alerts import Alerts
from engine.session.alerting.notices import Sender
from engine.session.alerting.settings import AlertsFile
from engine.session.lock import Holder
from engine.session.plan import Plan
from engine.session.scrub import Scrubber

HEAD_SECONDS: Final = 10.0
_REASONS_SHOWN: Final = 3


def make_alerts(plan: Plan, on_unanswered: Callable[[str], None]) -> Alerts:
    """The alerts of a run. One at full speed lives in another time and far too fast: it tells its file alone.

    `on_unanswered` is told why, from another thread, when a critical one was without an answer for too long.
    """
    file = alerts_file(plan)
    heads = file.heads_every or 0
    return Alerts(
        plan.home.alerts,
        sender_of(plan.env, file.desk_name, plan.home.root.name),
        plan.folder.run_id,
        plan.clock,
        plan.store,
        () if plan.clock.kind == "virtual" else plan.outside.channels,
        repeat_ns=file.repeat_window,
        scrubber=Scrubber(plan.secrets),
        sign_head=lambda: msgspec.json.encode(plan.store.sign_head("sent").result(HEAD_SECONDS)).decode(),
        heads_every_ns=heads,
        remind_ns=file.remind_every or 0,
        pause_ns=file.pause_unanswered or 0,
        on_unanswered=on_unanswered,
    )


def alerts_file(plan: Plan) -> AlertsFile:
    """How alerts go in this run."""
    return plan.alerts or AlertsFile(env="live" if plan.env == "live" else "paper")


def sender_of(env: str, name: str, home: str) -> Sender:
    """Which desk speaks, by the name it was given or that of its home folder."""
    return Sender(env.upper(), name or home.lstrip(".") or "nightdesk", socket.gethostname())


def crashed_text(left: Holder) -> str:
    """What is known of the run before, which died with its lock held."""
    began = f", begun {instant(left.started_ns)}" if left.started_ns else ""
    return f"run {left.run_id or 'not yet named'}, pid {left.pid}{began}"


def started_text(plan: Plan) -> str:
    return f"version {plan.version}, {plan.source_name} on {plan.venue}, broker {plan.broker_name}"


def ended_alert(
    view: DeskView | None, reason: str, code: int, failure: str, problems: Sequence[str]
) -> tuple[AlertKind, str]:
    """How a run ended, and what it came to as far as its last view knows."""
    said = [f"{reason}, exit code {code}"]
    if failure:
        said.append(failure)
    if view is not None:
        net = money.text(view.equity - view.starting_equity, 2)
        left, errors = len(view.positions), view.heartbeat.error_count
        said.append(f"after {stretch(view.elapsed_ns)}: net P&L {net}, {view.trades} trades, {errors} errors")
        said += [f"{left} positions stay open"] if left else []
    said += problems[:_REASONS_SHOWN]
    return (AlertKind.RUN_FAILED if code else AlertKind.RUN_ENDED), "; ".join(said)
