"""What a desk is doing, from another shell."""

from collections import Counter
from typing import Any

from console import say
from console.commands.where import Where
from console.exits import Exit
from engine.core.times import SECOND, stretch
from engine.core.view import ProtocolView, refusals
from engine.session import remote
from engine.session.failed_start import failed_start
from engine.session.home import Home, kill_requested
from engine.session.remote import NotRunning
from engine.session.status import STOPPED, stopped_json

ERRORS_SHOWN = 5  # `nightdesk errors` has them all


def status(where: Where, *, check: bool = False) -> Exit:
    """Print the desk's status; exit code 4 where no desk runs and, with `check`, 5 where it is not healthy."""
    try:
        found = remote.status(where.home)
    except NotRunning:
        found = _stopped(where)
    return show(found, where.json, check=check, rows=(("home", str(where.home.dir)),))


def show(found: dict[str, Any], as_json: bool, *, check: bool, rows: say.Rows) -> Exit:
    """Print a status, `rows` below it."""
    if as_json:
        say.as_json(found)
    else:
        say.pairs(_title(found), [*_rows(found), *rows])
    if found["state"] == STOPPED:
        return Exit.NOT_RUNNING
    return Exit.FAILED_CHECK if check and not found["healthy"] else Exit.DONE


def _stopped(where: Where) -> dict[str, Any]:
    killed = kill_requested(where.home, where.variables) is not None
    failed = failed_start(where.home)
    return stopped_json(
        where.home.env,
        kill_latched=is_latched(where.home),
        kill_file=killed,
        failed=failed,
        protocol=_protocol(where),
    )


def _protocol(where: Where) -> ProtocolView | None:
    """A protocol that has begun and not ended, where the books can be read."""
    if not where.home.database.exists():
        return None
    from console.commands.standing import standing
    from store.errors import StoreError

    try:
        return standing(where)
    except StoreError as failure:
        say.aside(f"the books cannot be read: {failure}")
        return None


def is_latched(home: Home) -> bool:
    """Whether a stopped desk is latched; books that cannot be read count as latched."""
    if home.latch_file.exists():
        return True
    if not home.database.exists():
        return False
    from store.database import reading
    from store.errors import StoreError
    from store.recovery import is_latched as latched_in

    try:
        with reading(home.database) as connection:
            return latched_in(connection)
    except StoreError as failure:
        say.aside(f"the books cannot be read, so the desk counts as killed: {failure}")
        return True


def _books(reconciliation: dict[str, Any]) -> str:
    if reconciliation["clean"]:
        return f"agree with the broker's own ({reconciliation['compared_at']})"
    agreed = reconciliation["agreed_at"]
    return f"do not agree with the broker's own; last agreed {agreed}" if agreed else "not yet compared"


def _discrepancy(each: dict[str, Any]) -> str:
    """One discrepancy in words: what, here, there, since when."""
    what = each["kind"].replace("_", " ")
    return f"{each['id']}: {what} {each['subject']}, {each['ours']} here, {each['theirs']} there"


def _title(found: dict[str, Any]) -> str:
    title = f"{found['env'].upper()}  {found['state']}"
    return f"{title}  run {found['run_id']}  pid {found['pid']}" if found["run_id"] else title


def _rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [("kill switch", "LATCHED" if found["kill_latched"] else "not latched")]
    rows += [("blocked by", _block(block)) for block in found["blocks"]]
    if found["state"] == STOPPED:
        failed = found["failed_start"]
        rows += _protocol_rows(found["protocol"])
        return rows + ([("last start", f"failed at {failed['at']}: {failed['text']}")] if failed else [])
    duration, heartbeat, signals = found["duration_seconds"], found["heartbeat"], found["signals"]
    elapsed = say.span(found["elapsed_seconds"])
    age = found["feed_age_seconds"]
    refused = refusals(found["signal_reasons"])
    rejected = sum(count for _, count in refused)
    rows += [
        ("elapsed", f"{elapsed} of {say.span(duration)}" if duration else f"{elapsed}, until stopped"),
        ("market", f"{found['venue']} ({found['source']}), {found['broker']} broker, {found['clock']} clock"),
        ("equity", f"{found['equity']}  day {found['day_pnl']}  drawdown {found['drawdown']}"),
        ("net P&L", _band(found["net_pnl"], found["net_pnl_band"])),
        ("heat", f"{found['heat']['value']} of {found['heat']['limit']}"),
        ("regime", _regime(found["regime"])),
        ("market phases", _phases(found["market_phases"])),
        ("positions", _positions(found["positions"])),
        ("orders", _orders(len(found["orders"]), found["orders_today"])),
        ("books", _books(found["reconciliation"])),
        *(("discrepancy", _discrepancy(each)) for each in found["reconciliation"]["discrepancies"]),
        *(("stuck order", order_id) for order_id in found["stuck_orders"]),
        (
            "signals",
            f"{signals['total']} raised, {signals['EXECUTED']} executed, {rejected} rejected, "
            f"{signals['in_flight']} in flight",
        ),
        *([("rejected by", ", ".join(f"{count} {code}" for code, count in refused))] if refused else []),
        ("breakers", ", ".join(b["name"] for b in found["breakers"] if b["tripped"]) or "none tripped"),
        ("health", "healthy" if found["healthy"] else "UNHEALTHY"),
        *(("unhealthy", text) for text in found["unhealthy"]),
        *(("warning", text) for text in found["warnings"]),
        ("heartbeat", f"{heartbeat['count']} beats, longest gap {heartbeat['max_gap_seconds']:.2f} s"),
        ("machine", _machine(heartbeat)),
        ("feed age", "no data yet" if age is None else f"{age:.1f} s"),
        *(("stale price", _stale(feed)) for feed in found["feeds"] if _is_stale(feed)),
        *(("data refused", _refused(cause)) for cause in found["data_refused"]),
        *(("error", f"{one['count']} {one['fingerprint']}") for one in found["errors"][:ERRORS_SHOWN]),
        ("paper period", _paper_period(found["paper_period"])),
        *_protocol_rows(found["protocol"]),
        ("live gate", found["gate_level"]),
    ]
    return rows


def _protocol_rows(protocol: dict[str, Any] | None) -> list[tuple[str, str]]:
    """How a validation protocol stands, and each of its criteria that does not hold so far."""
    if protocol is None:
        return []
    lasted, of = say.span(protocol["elapsed_seconds"]), say.span(protocol["of_seconds"])
    label = " (REHEARSAL)" if protocol["rehearsal"] else ""
    counts = Counter(one["state"] for one in protocol["criteria"])
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    failing = [one for one in protocol["criteria"] if one["state"] == "FAIL"]
    return [
        (
            "protocol",
            f"{protocol['name']}{label}, day {protocol['day']} of {protocol['days']}, {lasted} of {of}, "
            f"{protocol['outages']} outages: {told}",
        ),
        *(("failing", f"{one['id']}: {one['measured']}, wanted {one['threshold']}") for one in failing),
    ]


def _machine(heartbeat: dict[str, Any]) -> str:
    """What the process takes of it, and what it leaves."""
    growth = heartbeat["rss_mb_per_hour"]
    memory = f"{heartbeat['rss_mb']} MB" + ("" if growth is None else f" ({growth:+.1f} MB an hour)")
    return f"{memory}, {heartbeat['descriptors']} descriptors, {heartbeat['disk_free_mb']} MB free on the disk"


def _band(net: str, band: dict[str, str | None]) -> str:
    """The run's result, and between which results it lies when its orders are filled worse or better."""
    if band["lowest"] is None:
        return net
    return f"{net}  ({band['lowest']} to {band['highest']} over execution profiles)"


def _orders(working: int, today: dict[str, Any]) -> str:
    sent = f"{today['sent']} sent today, {today['rejected']} rejected"
    return f"{working} working; {sent} ({today['reject_rate']})" if today["rejected"] else f"{working} working; {sent}"


def _block(block: dict[str, Any]) -> str:
    left = f", in {say.span(block['release_seconds'])}" if block.get("release_seconds") else ""
    return f"{block['reason']}: {block['text']} (lifted by: {block['lifts']}{left})"


def _paper_period(period: dict[str, Any] | None) -> str:
    if period is None:
        return "no paper_start_date"
    if period["days"] is None:
        return f"since {period['start']}; its trading days cannot be told"
    if not period["days"]:
        return f"begins {period['start']}; no day counts yet"
    return f"trading day {period['days']} since {period['start']}"


def _is_stale(feed: dict[str, Any]) -> bool:
    return feed["health"] != "LIVE" and not feed["market_closed"]


def _stale(feed: dict[str, Any]) -> str:
    if feed["last_price"] is None:
        return f"{feed['symbol']} none yet"
    return f"{feed['symbol']} {feed['last_price']}, {_age(feed['age_seconds'])} old, not traded on"


def _refused(cause: dict[str, Any]) -> str:
    return f"{cause['count']} {cause['cause']}" + (f" (first: {cause['first']})" if cause["first"] else "")


def _age(seconds: float) -> str:
    """12h37m: an age is not to be taken for a time of day."""
    return stretch(int(seconds * SECOND))


def _positions(positions: list[dict[str, Any]]) -> str:
    return ", ".join(f"{p['side']} {p['qty']} {p['symbol']} ({p['unrealized']})" for p in positions) or "none"


def _regime(regime: dict[str, Any]) -> str:
    """The regime, the value behind it, and what it takes away."""
    told = regime["regime"]
    if regime["level"] is None:
        told += f"  no value of {regime['source'] or 'any volatility index'}"
    else:
        made = " (simulated)" if regime["simulated"] else ""
        told += f"  {regime['level']} by {regime['source']}{made}, {_age(regime['age_seconds'])} old"
    told += f", heat limit x{regime['heat_share']}"
    off = ", ".join(regime["strategies_off"])
    return f"{told}, not entering: {off}" if off else told


def _phases(phases: dict[str, str]) -> str:
    by_phase: dict[str, list[str]] = {}
    for symbol, phase in phases.items():
        by_phase.setdefault(phase, []).append(symbol)
    return "  ".join(f"{phase}: {', '.join(symbols)}" for phase, symbols in sorted(by_phase.items())) or "none yet"
