"""What each configuration file may say. Every default is the shipped one, and none is looser than a hard limit.

A key names its unit where two are possible: `_usd` (account currency; USDT counts as USD), `_percent` (`"1"` is 1 %).
"""

import ipaddress
import json
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from engine.core.config import DAY, HOUR, MINUTE, SECOND
from engine.core.limits import HARD
from engine.core.words import Regime, Volatile
from engine.session.fields import (
    MILLISECOND,
    Bar,
    BreakerActions,
    Count,
    CountOrNone,
    Duration,
    DurationOrUnlimited,
    FeePercent,
    Flag,
    Money,
    MoneyOrNone,
    Names,
    OptionalDate,
    Percent,
    Ratio,
    Seed,
    Share,
)
from engine.session.layers import FileModel

MEMORY_MAX_MB: Final = 1500
Env = Literal["paper", "live"]
BUILT_IN: Final = "sim"
"""The venue that comes with the desk and is started as its child."""


class DeskFile(FileModel):
    """`desk.toml`: what runs, where, for how long, and what it does when something goes wrong."""

    env: Env
    venue: str = BUILT_IN
    broker: Literal["paper", "venue"] = "paper"
    dry_run: Flag = True
    live_trading_enabled: Flag = False
    symbols: Names = (
        "BTCUSDT",
        "ETHUSDT",
        "SOLUSDT",
        "BNBUSDT",
        "XRPUSDT",
        "ADAUSDT",
        "DOGEUSDT",
        "AVAXUSDT",
        "DOTUSDT",
        "LINKUSDT",
    )
    strategy: str = "default"
    duration: DurationOrUnlimited = None
    seed: Seed = 7
    starting_capital_usd: Money = 10_000 * 100_000_000
    paper_start_date: OptionalDate = None
    bar: Bar = MINUTE
    min_history: CountOrNone = 100
    entry_timeout: Duration = 30 * SECOND
    stuck_order_timeout: Duration = 60 * SECOND
    stale_action: Literal["pause", "shutdown"] = "pause"
    breaker_action: Literal["halt_day", "shutdown", "cooldown"] = "halt_day"
    cooldown: Duration = 60 * MINUTE
    auto_reset: Flag = False
    on_kill: Literal["close", "keep"] = "close"
    on_hangup: Literal["continue", "stop"] = "continue"
    outage_gap: Literal["decide", "mark"] = "decide"
    crashes_max: CountOrNone = 3
    crash_window: Duration = HOUR
    memory_max_mb: Annotated[Count, Field(le=MEMORY_MAX_MB)] = MEMORY_MAX_MB
    disk_min_mb: CountOrNone = 256
    paper_latency_min: Duration = 60 * MILLISECOND
    paper_latency_max: Duration = 140 * MILLISECOND
    paper_latency_slow: Duration = 260 * MILLISECOND
    paper_latency_slow_percent: Percent = 1_000_000
    paper_slippage_min_percent: Percent = 50_000
    paper_slippage_max_percent: Percent = 300_000
    paper_participation_max_percent: Percent = 20_000_000
    paper_queue: Literal["behind", "proportional"] = "behind"
    paper_shadows: Flag = True


class SymbolLimits(FileModel):
    """What one symbol's orders and position are held to, where the venue's own sizes are not tight enough."""

    order_qty_max: Money | None = None
    order_notional_max_usd: Money | None = None
    position_qty_max: Money | None = None


def _tables(raw: object) -> object:
    """A variable or an option says it as JSON."""
    try:
        return json.loads(raw) if isinstance(raw, str) else raw
    except json.JSONDecodeError:
        raise ValueError('must be like {"BTCUSDT": {"order_qty_max": "0.5"}}') from None


class RiskFile(FileModel):
    """`risk.toml`: the limits. Each may be tighter than its hard limit, never looser; `LIMIT_OF` pairs them."""

    env: Env
    position_notional_max_usd: Money = HARD.position_notional_max
    order_notional_max_usd: Money = HARD.order_notional_max
    leverage_max: Money = HARD.leverage_max
    gross_exposure_max: Money = HARD.gross_exposure_max
    net_exposure_max: Money = HARD.net_exposure_max
    concentration_max_percent: Percent = HARD.concentration_max
    daily_loss_max_usd: Money = HARD.daily_loss_max
    daily_loss_max_percent: Percent = HARD.daily_loss_fraction_max
    daily_drawdown_max_percent: Percent = HARD.daily_drawdown_max
    total_drawdown_max_percent: Percent = HARD.total_drawdown_max
    consecutive_losses_max: Count = HARD.consecutive_losses_max
    loss_per_trade_max_usd: Money = HARD.loss_per_trade_max
    positions_max: Count = HARD.positions_max
    positions_per_symbol_max: Count = HARD.positions_per_symbol_max
    heat_max_percent: Percent = HARD.heat_max
    gap_allowance_percent: Percent = HARD.gap_allowance
    correlation_max: Money = HARD.correlation_max
    correlation_window: Count = HARD.correlation_window
    reward_risk_min: Money = HARD.reward_risk_min
    orders_per_minute_max: Count = HARD.orders_per_minute_max
    messages_per_minute_max: Count = HARD.messages_per_minute_max
    duplicate_window: Duration = HARD.duplicate_window_ns
    errors_max: Count = HARD.errors_max
    errors_per_hour_max: Count = HARD.errors_per_hour_max
    feed_outages_per_hour_max: Count = HARD.feed_outages_per_hour_max
    feed_outage_max: Duration = HARD.feed_outage_ns_max
    venue_refusals_max: Count = HARD.venue_refusals_max
    slippage_multiple_max: Money = HARD.slippage_multiple_max
    breaker_actions: BreakerActions = Field(default_factory=dict)
    price_age_max: Duration = HARD.price_age_ns_max
    price_collar_percent: Percent = HARD.price_collar
    balance_age_max: Duration = HARD.balance_age_ns_max
    symbols: Annotated[dict[str, SymbolLimits], BeforeValidator(_tables)] = Field(default_factory=dict)
    risk_per_trade_usd: Money = 2 * 100_000_000
    entry_notional_max_usd: Money = 400 * 100_000_000


LIMIT_OF: Final = {
    "position_notional_max_usd": "position_notional_max",
    "order_notional_max_usd": "order_notional_max",
    "leverage_max": "leverage_max",
    "gross_exposure_max": "gross_exposure_max",
    "net_exposure_max": "net_exposure_max",
    "concentration_max_percent": "concentration_max",
    "daily_loss_max_usd": "daily_loss_max",
    "daily_loss_max_percent": "daily_loss_fraction_max",
    "daily_drawdown_max_percent": "daily_drawdown_max",
    "total_drawdown_max_percent": "total_drawdown_max",
    "consecutive_losses_max": "consecutive_losses_max",
    "loss_per_trade_max_usd": "loss_per_trade_max",
    "positions_max": "positions_max",
    "positions_per_symbol_max": "positions_per_symbol_max",
    "heat_max_percent": "heat_max",
    "gap_allowance_percent": "gap_allowance",
    "correlation_max": "correlation_max",
    "correlation_window": "correlation_window",
    "reward_risk_min": "reward_risk_min",
    "orders_per_minute_max": "orders_per_minute_max",
    "messages_per_minute_max": "messages_per_minute_max",
    "duplicate_window": "duplicate_window_ns",
    "errors_max": "errors_max",
    "errors_per_hour_max": "errors_per_hour_max",
    "feed_outages_per_hour_max": "feed_outages_per_hour_max",
    "feed_outage_max": "feed_outage_ns_max",
    "venue_refusals_max": "venue_refusals_max",
    "slippage_multiple_max": "slippage_multiple_max",
    "price_age_max": "price_age_ns_max",
    "price_collar_percent": "price_collar",
    "balance_age_max": "balance_age_ns_max",
}
"""Key of `RiskFile` to field of `Limits`: every limit has exactly one key."""

PLAUSIBLE_SHARE: Final = 50
"""A percentage further below its hard limit than this was almost certainly written as a fraction."""


class RegimeFile(FileModel):
    """`regime.toml`: the market phase by prices, and the regime by a volatility index with its heat limits."""

    env: Env
    phase_window: Count = 50
    phase_trend_min: Ratio = 35_000_000
    phase_volatile_percent: Percent = 400_000
    volatile: Volatile = Volatile.HALF
    volatility: str = Field(default="auto", min_length=1, max_length=1000)
    max_age: Duration = 5 * DAY
    normal_from: Money = 15 * 100_000_000
    elevated_from: Money = 20 * 100_000_000
    crisis_from: Money = 30 * 100_000_000
    hysteresis: MoneyOrNone = 50_000_000
    heat_low_percent: Share = 100_000_000
    heat_normal_percent: Share = 100_000_000
    heat_elevated_percent: Share = 70_000_000
    heat_crisis_percent: Share = 40_000_000
    spike_rise_percent: Percent = 20_000_000
    spike_window: Duration = HOUR


class ValidationFile(FileModel):
    """`validation.toml`: what a protocol is judged by, and how long a passed one counts."""

    env: Env
    expiry: Duration = 30 * DAY
    uptime_min_percent: Percent = 99_000_000
    errors_max_per_day: CountOrNone = 5
    drawdown_max_percent: Percent = 10_000_000
    trades_min: Count = 10
    win_rate_min_percent: Percent = 40_000_000
    sharpe_min: MoneyOrNone = 0
    outage_max: Duration = 5 * MINUTE
    outages_max: CountOrNone = 3
    memory_max_mb: Count = 500


def _url(raw: str) -> str:
    if not raw:
        return raw
    parts = urlsplit(raw)
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ValueError("must be an http, https, ws or wss address")
    if parts.username or parts.password or parts.query:
        raise ValueError("must not carry a user, a password or a query")
    if parts.scheme in ("http", "ws") and not is_loopback(raw):
        raise ValueError("must be encrypted (https or wss) beyond this machine")
    return raw


Url = Annotated[str, AfterValidator(_url)]


def is_loopback(url: str) -> bool:
    """True if `url` is empty (the built-in venue's own address) or names this machine."""
    host = urlsplit(url).hostname
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


OFF: Final = "off"
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


def _listening(raw: str) -> str:
    if raw.lower() == OFF:
        return ""
    if raw and not parse_listening(raw):
        raise ValueError('must be an address and a port, as in "127.0.0.1:8787"')
    return raw


def parse_listening(raw: str) -> tuple[str, int] | None:
    """Host and port of `host:port` or `[host]:port`; None if it is neither."""
    parts = urlsplit(f"//{raw}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (host, port) if host and port is not None and raw == parts.netloc and "@" not in raw else None


def _on_loopback(raw: str) -> str:
    at = parse_listening(raw)
    if at is not None and at[0] not in LOOPBACK:
        raise ValueError("must be on this machine: metrics are served to whoever asks")
    return raw


class ControlFile(FileModel):
    """`control.toml`: where signed commands are taken from, and where metrics are served.

    The key of the commands is a secret and comes from the environment.
    """

    env: Env
    http: Annotated[str, AfterValidator(_listening)] = ""
    tls_certificate: str = ""
    tls_key: str = ""
    poll_url: Url = ""
    poll_every: Duration = 30 * SECOND
    metrics: Annotated[str, AfterValidator(_listening), AfterValidator(_on_loopback)] = ""


class VenueFile(FileModel):
    """`venues/<venue>.toml`: addresses, patience and fees of one venue.

    Empty addresses mean the built-in venue, which tells its own when it starts. Fees the venue itself
    gives go before those written here.
    """

    env: Env
    rest_url: Url = ""
    public_url: Url = ""
    private_url: Url = ""
    request_timeout: Duration = 10 * SECOND
    ping_interval: Duration = 15 * SECOND
    reconnect_window: Duration = 600 * SECOND
    maker_fee_percent: FeePercent | None = None
    taker_fee_percent: FeePercent | None = None
    maintenance_margin_percent: Percent = 500_000
    allowed_symbols: Names = ()

    @field_validator("maker_fee_percent", "taker_fee_percent")
    @classmethod
    def _plausible_fee(cls, fee: int | None) -> int | None:
        if fee is not None and not -1_000_000 <= fee <= 1_000_000:
            raise ValueError("must lie between -1 and 1 (percent of the traded amount)")
        return fee

    @field_validator("ping_interval", "request_timeout")
    @classmethod
    def _patient_but_not_forever(cls, ns: int) -> int:
        if ns > HOUR:
            raise ValueError("must be at most 1h")
        return ns


class StrategyEntry(FileModel):
    """One strategy of `strategies/default.json`.

    `kind` is a registered name or `module:Class`; `params` are checked by the strategy itself; no `symbols` means all,
    and so do no `regimes`. `weight` is the share of a full-sized entry it makes, at most 1.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    kind: str = Field(min_length=1, max_length=200)
    enabled: bool = True
    symbols: Names = ()
    regimes: tuple[Regime, ...] = ()
    weight: Annotated[Money, Field(le=100_000_000)] = 100_000_000
    params: dict[str, int | str | bool] = Field(default_factory=dict)
    about: str = ""

    @field_validator("params", mode="before")
    @classmethod
    def _exact(cls, params: object) -> object:
        if isinstance(params, dict):
            for key, value in params.items():
                if isinstance(value, float):
                    raise ValueError(f'{key} must be exact: write it in quotes, like "{value:g}"')
                if not isinstance(value, str | int):
                    raise ValueError(f"{key} must be a whole number, a text or true/false")
        return params


class StrategiesFile(FileModel):
    """`strategies/default.json`."""

    env: Env
    about: str = ""
    strategies: tuple[StrategyEntry, ...] = Field(min_length=1, max_length=50)

    @field_validator("strategies")
    @classmethod
    def _distinct(cls, entries: tuple[StrategyEntry, ...]) -> tuple[StrategyEntry, ...]:
        ids = [entry.id for entry in entries]
        if len(set(ids)) < len(ids):
            raise ValueError("two strategies have the same id")
        return entries
