"""The effective configuration of one environment: read, checked as a whole, explained, hashed, handed to the core.

`load` opens the files of one tree and no other. It either gives a `Config` or raises `ConfigRefused` with every
problem found; a tree of the other environment, or a file marked for it, is refused.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isqrt
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.core.calendar import Calendar
from engine.core.config import (
    MINUTE,
    SECOND,
    CoreConfig,
    Instrument,
    Limits,
    PaperModel,
    PhaseModel,
    QueueRule,
    RegimeModel,
    Sizing,
    StrategySpec,
)
from engine.core.words import BreakerAction, OutageGap
from engine.session.alerting.channels import VARIABLES, WEBHOOK, Outside, find_outside
from engine.session.alerting.settings import AlertsFile
from engine.session.api.settings import ApiSettings
from engine.session.clock import WallClock
from engine.session.dotenv import PREFIX, Problem, read_dotenv
from engine.session.home import ENVS, KILL_VARIABLE, kill_variable_set
from engine.session.layers import MARKER, ConfigRefused, FileModel, Override, Section, Sources
from engine.session.rules import (
    check_breakers,
    check_control,
    check_desk,
    check_marker,
    check_regime,
    check_risk,
    check_variables,
    choose_strategies,
    limits_of,
    read_strategies,
    venue_section,
)
from engine.session.secret import Secret
from engine.session.secret_store import Rotation, read_secrets
from engine.session.settings import (
    ControlFile,
    DeskFile,
    RegimeFile,
    RiskFile,
    StrategyEntry,
    SymbolLimits,
    ValidationFile,
    VenueFile,
    parse_listening,
)

SHIPPED: Final = Path(__file__).parents[2] / "config"

PLAIN_VARIABLES: Final = {
    f"{PREFIX}HOME": "folder of all desks; default .nightdesk in the working directory",
    f"{PREFIX}ENV": "paper or live; default paper",
    KILL_VARIABLE: "TRUE kills, and so does anything but FALSE, 0, NO and OFF",
    f"{PREFIX}SHARED": "recorded data for tests",
    f"{PREFIX}THEME": "how the console looks: night, day, contrast, terminal; default night",
    f"{PREFIX}BITUNIX_KEY": "key of the venue's signed interface; only read for --env live",
    f"{PREFIX}BITUNIX_SECRET": "its secret",
    f"{PREFIX}CONTROL_KEY": "key of signed commands from other machines (control.toml)",
    f"{PREFIX}CONTROL_URL": "the endpoint `nightdesk remote` sends to",
    **VARIABLES,
    WEBHOOK: "one more address, the JSON webhook",
}
"""Variables that are no key of a file, each with what it does."""

DECIDING: Final = frozenset(
    {
        *("symbols", "strategy", "bar", "min_history", "entry_timeout", "stuck_order_timeout", "stale_action"),
        *("breaker_action", "cooldown", "auto_reset", "on_kill", "crashes_max", "crash_window"),
    }
)
"""The keys of `desk.toml` that decide what is traded."""


@dataclass(frozen=True, slots=True)
class VenueKeys:
    """Credentials of a venue's signed interface."""

    key: Secret
    secret: Secret


@dataclass(frozen=True, slots=True)
class Config:
    """An effective configuration, checked. Frozen; `content_hash` is the same wherever the same values apply.

    Attributes:
        strategies: Those that run: the enabled ones of the file, or the one chosen by name.
        origins: Where each `section.key` came from.
        keys: The venue's credentials; None in paper and where none are set.
        control_key: The key of signed commands; None where there is none.
        rotations: How old the secrets are that `secrets.toml` names.
        outside: The alert channels. Their addresses are in no value, snapshot or hash.
        kill_variable: The kill variable stood in the environment or in `.env`.
    """

    env: str
    tree: Path
    desk: DeskFile
    risk: RiskFile
    regime: RegimeFile
    validation: ValidationFile
    control: ControlFile
    venue: VenueFile
    alerts: AlertsFile
    strategies: tuple[StrategyEntry, ...]
    origins: Mapping[str, str]
    kill_variable: bool = False
    keys: VenueKeys | None = field(default=None, repr=False)
    control_key: Secret | None = field(default=None, repr=False)
    rotations: tuple[Rotation, ...] = ()
    outside: Outside = field(default=Outside(), repr=False)

    @property
    def content_hash(self) -> str:
        """SHA-256 of all effective values, without their origins, paths and secrets."""
        canonical = json.dumps(self.values(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def rules_hash(self) -> str:
        """SHA-256 of what the desk trades by: risk, regimes, strategies, and of the desk's own file what decides.

        Not where it trades, with whose money or for how long: the paper tree and the live one can have the same rules.
        """
        values = self.values()
        rules = {name: values[name] for name in ("risk", "regime", "strategies")}
        rules["desk"] = {key: value for key, value in values["desk"].items() if key in DECIDING}
        plain = {name: _without_marker(rule) for name, rule in rules.items()}
        return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def values(self) -> dict[str, Any]:
        """Every effective value by section and key, written as a file would write it."""
        files: dict[str, FileModel] = {
            "desk": self.desk,
            "risk": self.risk,
            "regime": self.regime,
            "validation": self.validation,
            "control": self.control,
            "venue": self.venue,
            "alerts": self.alerts,
        }
        shown: dict[str, Any] = {name: file.model_dump(mode="json") for name, file in files.items()}
        shown["strategies"] = [entry.model_dump(mode="json", exclude={"about"}) for entry in self.strategies]
        return shown

    @property
    def api(self) -> ApiSettings | None:
        """Where signed commands are taken from; None: nowhere."""
        file = self.control
        if self.control_key is None or not (file.http or file.poll_url):
            return None
        host, port = parse_listening(file.http) or ("", 0)
        certificate, key = (
            str(Path(path).expanduser()) if path else "" for path in (file.tls_certificate, file.tls_key)
        )
        return ApiSettings(self.control_key, host, port, certificate, key, file.poll_url, file.poll_every / SECOND)

    def snapshot(self) -> dict[str, Any]:
        """What `config_snapshot.json` holds: values, where they came from, and the hash. No secret is in it."""
        return {
            "env": self.env,
            "config_hash": self.content_hash,
            "values": self.values(),
            "origins": dict(self.origins),
        }

    @property
    def limits(self) -> Limits:
        return limits_of(self.risk)


def load(
    env: str,
    *,
    tree: Path | None = None,
    overrides: Mapping[str, Override] | None = None,
    variables: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
    any_symbol: bool = False,
    now_ns: int | None = None,
) -> Config:
    """Read and check the tree of `env`.

    Args:
        tree: A folder shaped like `config/paper`, or one that holds `paper/` and `live/`; default: the shipped ones.
        overrides: Settings of the command line by `section.key`.
        variables: The environment; default: this process's.
        dotenv: A `.env` file; one that does not exist says nothing. Default: `.env` in the working directory.
        any_symbol: Accept symbols beyond the venue's list, because a data file says which there are.
        now_ns: What time it is, for the age of secrets; default: the machine's.

    Raises:
        ConfigRefused: with every problem found.
    """
    if env not in ENVS:
        raise ConfigRefused([Problem("--env", MARKER, env, f"must be one of {', '.join(ENVS)}")])
    problems: list[Problem] = []
    folder = _tree(env, tree, problems)
    path = dotenv or Path(".env")
    given = os.environ if variables is None else variables
    sources = Sources(overrides or {}, given, read_dotenv(path, problems), str(path))
    clock_ns = WallClock().now_ns() if now_ns is None else now_ns
    secrets, rotations = read_secrets(folder / "secrets.toml", env, sources, clock_ns, problems)
    if env == "live":
        stale = [rotation for rotation in rotations if rotation.is_too_old]
        problems += [Problem(str(folder / "secrets.toml"), one.name, None, one.text) for one in stale]
    sources = replace(sources, variables={**given, **secrets})
    if problems:
        raise ConfigRefused(problems)

    desk = Section("desk", DeskFile, folder / "desk.toml", "").settle(sources, problems)
    risk = Section("risk", RiskFile, folder / "risk.toml", "RISK_").settle(sources, problems)
    regime = Section("regime", RegimeFile, folder / "regime.toml", "REGIME_").settle(sources, problems)
    validation = Section("validation", ValidationFile, folder / "validation.toml", "VALIDATION_").settle(
        sources, problems
    )
    control = Section("control", ControlFile, folder / "control.toml", "CONTROL_").settle(sources, problems)
    alerts = Section("alerts", AlertsFile, folder / "alerts.toml", "ALERTS_").settle(sources, problems)
    section = venue_section(folder, desk, problems)
    if section is None:
        raise ConfigRefused(problems)
    venue = section.settle(sources, problems)
    strategies = read_strategies(folder / "strategies" / "default.json", env, problems)
    settled = (desk, risk, regime, validation, control, venue, alerts)
    for part in settled:
        check_marker(part, env, problems)
    check_variables(sources, [part.section for part in settled], folder, _plain_variables(alerts.file), problems)
    check_desk(desk, venue, any_symbol, problems)
    check_risk(risk, desk, venue, any_symbol, problems)
    check_breakers(desk, risk, problems)
    check_regime(regime, problems)
    merged = {**sources.dotenv, **sources.variables}
    control_key = merged.get(f"{PREFIX}CONTROL_KEY", "")
    check_control(control, control_key, problems)
    chosen = choose_strategies(desk, strategies, problems)
    outside = find_outside(alerts, sources, problems)
    if problems:
        raise ConfigRefused(problems)

    # What is missing is among the problems.
    assert desk.file and risk.file and regime.file and validation.file and control.file and venue.file and alerts.file
    return Config(
        env=env,
        tree=folder,
        desk=desk.file,
        risk=risk.file,
        regime=regime.file,
        validation=validation.file,
        control=control.file,
        venue=venue.file,
        alerts=alerts.file,
        strategies=chosen,
        origins={f"{part.section.name}.{key}": origin for part in settled for key, origin in part.origins.items()},
        kill_variable=kill_variable_set(merged),
        keys=_keys(env, desk.file.venue, merged),
        rotations=rotations,
        control_key=Secret(control_key) if control_key else None,
        outside=outside,
    )


def to_core(
    config: Config,
    instruments: Sequence[Instrument],
    strategies: Sequence[StrategySpec],
    volatility: str = "",
    calendars: Sequence[Calendar] = (),
) -> CoreConfig:
    """All the core needs of `config`, for a run on `instruments` with `strategies` (their parameters validated).

    `volatility` names the index the run reads; empty: none. `calendars` are those of instruments that do not trade
    around the clock. Fees the venue gave stay; where it gave none, those written in its file take the place of the
    assumed ones.
    """
    desk, risk = config.desk, config.risk
    fees = {
        name: fee
        for name, fee in (("maker_fee", config.venue.maker_fee_percent), ("taker_fee", config.venue.taker_fee_percent))
        if fee is not None
    }
    return CoreConfig(
        env=config.env,
        seed=desk.seed,
        paper=desk.broker == "paper",
        starting_equity=desk.starting_capital_usd,
        instruments=tuple(
            _limited(_priced(each, fees, config.venue.maintenance_margin_percent), risk.symbols) for each in instruments
        ),
        strategies=tuple(strategies),
        limits=config.limits,
        model=PaperModel(
            latency_ns_min=desk.paper_latency_min,
            latency_ns_max=desk.paper_latency_max,
            slippage_min=desk.paper_slippage_min_percent,
            slippage_max=desk.paper_slippage_max_percent,
            participation_max=desk.paper_participation_max_percent,
            displayed_max=desk.paper_participation_max_percent,
            slow_share=desk.paper_latency_slow_percent,
            latency_ns_slow=desk.paper_latency_slow,
            queue=QueueRule(desk.paper_queue),
        ),
        sizing=Sizing(risk_per_trade=risk.risk_per_trade_usd, notional_max=risk.entry_notional_max_usd),
        entry_timeout_ns=desk.entry_timeout,
        resting_stops=desk.broker == "paper",
        stuck_order_ns=desk.stuck_order_timeout,
        breaker_action=BreakerAction(desk.breaker_action),
        breaker_actions=risk.breaker_actions,
        auto_reset=desk.auto_reset,
        cooldown_ns=desk.cooldown,
        kill_closes=desk.on_kill == "close",
        outage_gap=OutageGap(desk.outage_gap),
        crashes_max=desk.crashes_max,
        crash_window_ns=desk.crash_window,
        bar_ns=desk.bar,
        config_hash=config.content_hash,
        calendars=tuple(calendars),
        phases=PhaseModel(
            window=config.regime.phase_window,
            trend_min=config.regime.phase_trend_min,
            volatile_min=_range_of(desk.bar, config.regime.phase_volatile_percent),
            volatile=config.regime.volatile,
        ),
        shadows=desk.paper_shadows,
        regimes=_regimes(config.regime, volatility),
    )


def _without_marker(rule: Any) -> Any:
    return {key: value for key, value in rule.items() if key != MARKER} if isinstance(rule, dict) else rule


def _regimes(file: RegimeFile, source: str) -> RegimeModel:
    return RegimeModel(
        source=source,
        normal_from=file.normal_from,
        elevated_from=file.elevated_from,
        crisis_from=file.crisis_from,
        hysteresis=file.hysteresis,
        max_age_ns=file.max_age,
        heat_low=file.heat_low_percent,
        heat_normal=file.heat_normal_percent,
        heat_elevated=file.heat_elevated_percent,
        heat_crisis=file.heat_crisis_percent,
        spike_rise=file.spike_rise_percent,
        spike_window_ns=file.spike_window,
    )


def _range_of(bar_ns: int, minute_range: int) -> int:
    """What a minute's range is for a bar of `bar_ns`: ranges grow with the square root of time (Parkinson, 1980)."""
    return isqrt(minute_range * minute_range * bar_ns // MINUTE)


def _priced(instrument: Instrument, fees: Mapping[str, int], maintenance: int) -> Instrument:
    """The instrument with what trading and holding it costs by the venue's file."""
    given: dict[str, Any] = {} if instrument.fee_source == "venue" else dict(fees)
    if len(given) == 2:  # one of the two alone leaves the other assumed
        given["fee_source"] = "config"
    return msgspec.structs.replace(instrument, **given, maintenance=maintenance)


def _limited(instrument: Instrument, symbols: Mapping[str, SymbolLimits]) -> Instrument:
    """The instrument with the sizes `risk.toml` allows it, where these are tighter than the venue's."""
    limits = symbols.get(instrument.symbol)
    if limits is None:
        return instrument
    return msgspec.structs.replace(
        instrument,
        max_qty=min(instrument.max_qty, limits.order_qty_max or instrument.max_qty),
        max_notional=limits.order_notional_max_usd or 0,
        max_position_qty=limits.position_qty_max or 0,
    )


def _tree(env: str, given: Path | None, problems: list[Problem]) -> Path:
    """The folder of `env`'s files; a tree of the other environment is refused unread."""
    root = SHIPPED if given is None else given.expanduser()
    if (root / env).is_dir():
        return root / env
    if given is None or not root.is_dir():
        problems.append(Problem(str(root), "", None, "no configuration here; --config DIR names another folder"))
    elif root.resolve().name in ENVS and root.resolve().name != env:
        problems.append(Problem(str(root), "", None, f"is the {root.resolve().name} tree; the environment is {env}"))
    elif any((root / other).is_dir() for other in ENVS):
        problems.append(Problem(str(root), "", None, f"holds no folder {env}"))
    return root


def _plain_variables(alerts: AlertsFile | None) -> dict[str, str]:
    """Those of every desk, and those its alert channels name."""
    named = {channel.url_variable: "" for channel in alerts.channels.values()} if alerts else {}
    return {**PLAIN_VARIABLES, **named}


def _keys(env: str, venue: str, variables: Mapping[str, str]) -> VenueKeys | None:
    """The venue's credentials from the environment, never in paper: what is not loaded cannot be used."""
    stem = f"{PREFIX}{venue.upper()}_"
    key, secret = variables.get(f"{stem}KEY", ""), variables.get(f"{stem}SECRET", "")
    return VenueKeys(Secret(key), Secret(secret)) if env == "live" and key and secret else None
