"""What the newest run of a stage came to, from its rows."""

import json
from pathlib import Path
from typing import Any

from engine.core import money
from engine.review.stages import StageSeen
from store.database import reading
from store.recovery import UnknownRun


def stage_seen(path: Path, model_slippage: int, stand_in: bool) -> StageSeen:
    """The newest run, and what the execution model expects. Raises UnknownRun where none has begun."""
    with reading(path) as connection:
        found = connection.execute("SELECT run, run_id, report FROM runs ORDER BY run DESC LIMIT 1").fetchone()
        if found is None:
            raise UnknownRun("")
        run, run_id, text = found
        report: dict[str, Any] = json.loads(text) if text else {}
        fills = connection.execute("SELECT position_qty, price, slippage FROM fills WHERE run = ?", (run,)).fetchall()
        trips = connection.execute("SELECT pnl FROM trades WHERE run = ?", (run,)).fetchall()
        (errors,) = connection.execute("SELECT count(*) FROM errors WHERE run = ?", (run,)).fetchone()
        (open_still,) = connection.execute("SELECT count(*) FROM discrepancies WHERE resolved_ns IS NULL").fetchone()
        tripped = connection.execute(
            "SELECT name FROM breaker_changes WHERE run = ? AND tripped = 1", (run,)
        ).fetchall()
    slipped = [money.parse(slip) for _, _, slip in fills if slip is not None]
    return StageSeen(
        run_id=run_id,
        exit_code=int(report.get("exit_code", 1)),
        trips=len(trips),
        errors=errors,
        mismatches=open_still,
        breakers=[name for (name,) in tripped],
        slippage=sum(slipped) // len(slipped) if slipped else None,
        model_slippage=model_slippage,
        net=money.parse(str(report.get("net_pnl", "0"))),
        largest=max((abs(money.mul(money.parse(qty), money.parse(price))) for qty, price, _ in fills), default=0),
        stand_in=stand_in,
    )
