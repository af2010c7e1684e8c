"""The rules between settings: what no single key can know. Each adds to a list of problems and raises nothing."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from engine.core import money
from engine.core.breaker_table import SPECS, stricter
from engine.core.clean import clean
from engine.core.config import Limits
from engine.core.limits import AMOUNTS, FLOORS, HARD, looser_than_hard
from engine.core.words import BreakerAction
from engine.session.api.signing import BadKey, checked_key
from engine.session.dotenv import PREFIX, Problem, read_text
from engine.session.fields import duration_text
from engine.session.layers import MARKER, Section, Settled, Sources, nearest, nearest_variable, rule_of
from engine.session.secret import Secret
from engine.session.settings import (
    BUILT_IN,
    LIMIT_OF,
    LOOPBACK,
    PLAUSIBLE_SHARE,
    ControlFile,
    DeskFile,
    RegimeFile,
    RiskFile,
    StrategiesFile,
    StrategyEntry,
    VenueFile,
    is_loopback,
    parse_listening,
)
from engine.session.volatility import BadIndex, index_of
from engine.strategies import REGISTERED, StrategyError, make, spec

DEFAULT_STRATEGY: Final = "default"
_RANGES: Final = (
    ("paper_latency_min", "paper_latency_max"),
    ("paper_slippage_min_percent", "paper_slippage_max_percent"),
)
PHASE_WINDOW_MIN: Final = 2  # one bar has no move
PHASE_WINDOW_MAX: Final = 1_000  # every closed bar looks at the whole window


def limits_of(risk: RiskFile) -> Limits:
    """The core's limits as `risk.toml` sets them."""
    return Limits(**{limit: getattr(risk, key) for key, limit in LIMIT_OF.items()})


def check_marker(part: Settled[Any], env: str, problems: list[Problem]) -> None:
    """A file of one environment may not sit in the tree of the other."""
    found = part.given.get(MARKER)
    if found is not None and found != env:
        problems.append(part.problem(MARKER, f'must be "{env}": this tree belongs to that environment'))


def check_variables(
    sources: Sources,
    sections: Sequence[Section[Any]],
    folder: Path,
    plain: Mapping[str, str],
    problems: list[Problem],
) -> None:
    """A misspelt variable would silently leave a limit where it was, so an unknown one is refused."""
    known = dict.fromkeys(plain)  # in the order of the files: of several alike the first is meant
    for section in (*sections, *(_venue(folder, name) for name in venue_names(folder))):
        known |= dict.fromkeys(section.variables())
    for where, found in (("environment", sources.variables), (sources.dotenv_name, sources.dotenv)):
        for name in sorted(found):
            if name.startswith(PREFIX) and name not in known:
                problems.append(Problem(where, clean(name), None, "unknown variable" + nearest_variable(name, known)))


def venue_names(folder: Path) -> list[str]:
    """The venues this tree has a file for."""
    return sorted(path.stem for path in (folder / "venues").glob("*.toml"))


def venue_section(folder: Path, desk: Settled[DeskFile], problems: list[Problem]) -> Section[VenueFile] | None:
    """The section of the venue in use, or None with a problem added when the tree has no such venue."""
    name = desk.given.get("venue", BUILT_IN)
    known = venue_names(folder)
    if isinstance(name, str) and name in known:
        return _venue(folder, name)
    rule = f"unknown venue{nearest(str(name), known)}; this tree has {', '.join(known) or 'none'}"
    problems.append(desk.problem("venue", rule))
    return None


def _venue(folder: Path, name: str) -> Section[VenueFile]:
    return Section("venue", VenueFile, folder / "venues" / f"{name}.toml", f"{name.upper().replace('-', '_')}_")


def check_desk(desk: Settled[DeskFile], venue: Settled[VenueFile], any_symbol: bool, problems: list[Problem]) -> None:
    """Symbols the venue knows, no live order by mistake, addresses that fit the environment, ranges in order."""
    file = desk.file
    if file is None:
        return
    if not file.dry_run and file.env == "paper":
        problems.append(desk.problem("dry_run", "must be true in paper"))
    if file.live_trading_enabled and file.env == "paper":
        problems.append(desk.problem("live_trading_enabled", "must be false in paper"))
    if not file.symbols:
        problems.append(desk.problem("symbols", "must name at least one symbol"))
    for low, high in _RANGES:
        if getattr(file, low) > getattr(file, high):
            problems.append(desk.problem(low, f"must not be above {high}"))
    for share in ("paper_participation_max_percent", "paper_latency_slow_percent"):
        if getattr(file, share) > money.SCALE:
            problems.append(desk.problem(share, "must be at most 100"))
    if venue.file is not None:
        _check_venue(desk, file, venue, venue.file, any_symbol, problems)


def _check_venue(
    desk: Settled[DeskFile],
    file: DeskFile,
    venue: Settled[VenueFile],
    at: VenueFile,
    any_symbol: bool,
    problems: list[Problem],
) -> None:
    for symbol in () if any_symbol else file.symbols:
        if symbol not in at.allowed_symbols:
            problems.append(desk.problem("symbols", _not_traded(symbol, at.allowed_symbols)))
    if file.venue != BUILT_IN:
        for key in ("rest_url", "public_url"):
            if not getattr(at, key):
                problems.append(venue.problem(key, "is required for this venue"))
    if file.env == "paper":
        if not is_loopback(at.private_url):
            problems.append(venue.problem("private_url", "must be on this machine in paper: no path to live orders"))
        elif file.broker == "venue" and not is_loopback(at.rest_url):
            problems.append(desk.problem("broker", "must be paper where the venue is not on this machine"))


def _not_traded(symbol: str, allowed: Sequence[str]) -> str:
    return (
        f"{clean(symbol, 40)} is not among the venue's allowed_symbols{nearest(symbol, allowed)}; "
        f"there are {', '.join(allowed)}, and with --data those of the files"
    )


def check_risk(
    risk: Settled[RiskFile],
    desk: Settled[DeskFile],
    venue: Settled[VenueFile],
    any_symbol: bool,
    problems: list[Problem],
) -> None:
    """No limit looser than the hard one, none so small that percent and fraction were confused, sizes that fit."""
    file = risk.file
    if file is None:
        return
    _check_hard(risk, file, desk.file.starting_capital_usd if desk.file else 0, problems)
    for key, limit in LIMIT_OF.items():
        if key.endswith("_percent") and getattr(file, key) * PLAUSIBLE_SHARE < getattr(HARD, limit):
            problems.append(risk.problem(key, "is written in percent and implausibly small: 1 means 1 %"))
    for smaller, larger in (
        ("risk_per_trade_usd", "loss_per_trade_max_usd"),
        ("entry_notional_max_usd", "order_notional_max_usd"),
        ("loss_per_trade_max_usd", "daily_loss_max_usd"),
    ):
        if getattr(file, smaller) > getattr(file, larger):
            problems.append(risk.problem(smaller, f"must not be above {larger}"))
    known = venue.file.allowed_symbols if venue.file else ()
    for symbol in () if any_symbol or not known else file.symbols:
        if symbol not in known:
            problems.append(risk.problem("symbols", _not_traded(symbol, known)))


def _check_hard(risk: Settled[RiskFile], file: RiskFile, account: int, problems: list[Problem]) -> None:
    """Every limit within what an account of this size is allowed at most."""
    key_of = {limit: key for key, limit in LIMIT_OF.items()}
    for limit, _, hard in looser_than_hard(limits_of(file), account):
        key = key_of[limit]
        word = "at least" if limit in FLOORS else "at most"
        as_written: dict[str, Any] = {"env": file.env, key: hard}
        shown = RiskFile.model_construct(**as_written).model_dump(mode="json")[key]
        rule = f"must be {word} {shown}: a hard limit in the program, which configuration may only tighten"
        if limit in AMOUNTS:
            rule += f"; it is that of an account of {money.text(account)}"
        problems.append(risk.problem(key, rule))


def check_regime(regime: Settled[RegimeFile], problems: list[Problem]) -> None:
    """A window of bars that can be judged, thresholds that rise, and an index that can be read."""
    file = regime.file
    if file is None:
        return
    for lower, higher in (("normal_from", "elevated_from"), ("elevated_from", "crisis_from")):
        if getattr(file, lower) >= getattr(file, higher):
            problems.append(regime.problem(lower, f"must be below {higher}"))
    if not PHASE_WINDOW_MIN <= file.phase_window <= PHASE_WINDOW_MAX:
        problems.append(regime.problem("phase_window", f"must lie between {PHASE_WINDOW_MIN} and {PHASE_WINDOW_MAX}"))
    if file.hysteresis >= file.normal_from:
        problems.append(regime.problem("hysteresis", "must be below normal_from"))
    try:
        index_of(file.volatility, 0, generated_market=True)
    except BadIndex as bad:
        problems.append(regime.problem("volatility", f"must be auto, none, generated or a good file: {bad}"))


def check_control(control: Settled[ControlFile], key: str, problems: list[Problem]) -> None:
    """Signed commands need a key that protects, an address that can be listened at, and TLS beyond this machine."""
    file = control.file
    if file is None or not (file.http or file.poll_url):
        return
    name = "http" if file.http else "poll_url"
    try:
        checked_key(Secret(key))
    except BadKey as bad:
        why = bad if key else "there is none; make one with: nightdesk remote key"
        problems.append(control.problem(name, f"needs NIGHTDESK_CONTROL_KEY: {why}"))
    listening = parse_listening(file.http)
    if listening is not None and listening[0] not in LOOPBACK and not file.tls_certificate:
        problems.append(control.problem("http", "needs tls_certificate and tls_key beyond this machine"))
    for path_key in ("tls_certificate", "tls_key"):
        path = getattr(file, path_key)
        if path and not Path(path).expanduser().is_file():
            problems.append(control.problem(path_key, "is no file"))


def check_breakers(desk: Settled[DeskFile], risk: Settled[RiskFile], problems: list[Problem]) -> None:
    """A breaker's own action may be stricter than what it does anyway, never milder."""
    if desk.file is None or risk.file is None:
        return
    for name, action in risk.file.breaker_actions.items():
        spec = SPECS[name]
        least = stricter(spec.least, BreakerAction(desk.file.breaker_action)) if spec.general else spec.least
        if stricter(least, action) is not action:
            rule = f"{name} does {least} anyway; its own action may only be stricter"
            problems.append(risk.problem("breaker_actions", rule))


def read_strategies(path: Path, env: str, problems: list[Problem]) -> StrategiesFile | None:
    """The strategies file, or None with problems added."""
    text = read_text(path, problems)
    if text is None:
        return None
    try:
        raw = json.loads(text)
        file = StrategiesFile.model_validate(raw)
    except json.JSONDecodeError as broken:
        problems.append(Problem(str(path), "", None, f"is not valid JSON: {broken}"))
    except RecursionError:
        problems.append(Problem(str(path), "", None, "is nested too deeply"))
    except ValidationError as refused:
        problems += [_strategy_problem(error, path) for error in refused.errors()]
    else:
        if file.env == env:
            return file
        problems.append(Problem(str(path), MARKER, file.env, f'must be "{env}": this tree belongs to that environment'))
    return None


def _strategy_problem(error: Any, path: Path) -> Problem:
    key = ".".join(map(str, error["loc"]))
    rule = rule_of(error)
    if error["type"] == "extra_forbidden":
        model = StrategyEntry if len(error["loc"]) > 1 else StrategiesFile
        rule += nearest(str(error["loc"][-1]), model.model_fields)
    value = error["input"] if isinstance(error["input"], str | int | float) else None
    return Problem(str(path), clean(key), value, rule)


def choose_strategies(
    desk: Settled[DeskFile], file: StrategiesFile | None, problems: list[Problem]
) -> tuple[StrategyEntry, ...]:
    """The strategies to run: the enabled ones, or the one named by id, or a registered kind or `module:Class`."""
    if desk.file is None or file is None:
        return ()
    chosen = _named(desk, desk.file.strategy, file, problems)
    for entry in chosen:
        try:
            wanted_ns = make(spec(entry.id, entry.kind, entry.params, entry.symbols or desk.file.symbols)).span_ns
        except StrategyError as refused:
            problems.append(desk.problem("strategy", clean(f"{entry.id}: {refused}")))
            continue
        if wanted_ns % desk.file.bar:
            fits = duration_text(wanted_ns)
            rule = f"must divide the bars strategy {entry.id} works on, {fits}: {PREFIX}BAR={fits} sets it"
            problems.append(desk.problem("bar", rule))
    return chosen


def _named(
    desk: Settled[DeskFile], name: str, file: StrategiesFile, problems: list[Problem]
) -> tuple[StrategyEntry, ...]:
    if name == DEFAULT_STRATEGY:
        enabled = tuple(entry for entry in file.strategies if entry.enabled)
        if not enabled:
            problems.append(desk.problem("strategy", "every strategy of strategies/default.json is disabled"))
        return enabled
    for entry in file.strategies:
        if entry.id == name:
            return (entry,)
    if ":" in name or name in REGISTERED:
        try:
            return (StrategyEntry(id=name.rpartition(":")[2].lower(), kind=name),)
        except ValidationError:
            problems.append(desk.problem("strategy", "must name a class as module:Class"))
            return ()
    known = [DEFAULT_STRATEGY, *dict.fromkeys([*(entry.id for entry in file.strategies), *REGISTERED])]
    rule = f"no such strategy{nearest(name, known)}; there are {', '.join(known)}, and your own as module:Class"
    problems.append(desk.problem("strategy", rule))
    return ()
