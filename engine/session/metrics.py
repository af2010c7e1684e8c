"""Metrics for Prometheus: one table of what is measured, read from the desk's newest durable view at each scrape.

Nothing is counted here: a scrape costs the desk nothing between scrapes, and a figure is never ahead of the journal.
Names begin with the environment (`paper_`, `live_`); amounts are in account currency, ratios are shares of one, times
are in seconds.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from http.server import HTTPServer
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.core import money
from engine.core.events import SessionPhase
from engine.core.view import DeskView

Values = Iterable[tuple[tuple[str, ...], float]]
"""Label values, and what was measured there."""

_SECOND_NS: Final = 1_000_000_000
_SECOND_US: Final = 1_000_000

log = logging.getLogger("session")


class Measure(NamedTuple):
    """One metric. A counter's name ends in `_total`; it counts from the start of the run."""

    name: str
    help: str
    values: Callable[[DeskView], Values]
    labels: tuple[str, ...] = ()

    @property
    def is_counter(self) -> bool:
        return self.name.endswith("_total")


def _one(value: float) -> Values:
    return (((), value),)


def _of(scaled: int) -> float:
    """A scaled amount as the float Prometheus wants: for watching, never for reckoning."""
    return scaled / money.SCALE


def _age(view: DeskView, at_ns: int) -> float:
    return max(view.at_ns - at_ns, 0) / _SECOND_NS if at_ns else float("nan")


MEASURES: Final = (
    Measure("up", "1 while the desk trades (phase RUNNING)", lambda v: _one(v.phase is SessionPhase.RUNNING)),
    Measure("healthy", "1 while the desk does its work", lambda v: _one(not v.heartbeat.unhealthy)),
    Measure("kill_latched", "1 while the kill switch is latched", lambda v: _one(v.kill_latched)),
    Measure("blocked", "1 for each block that stands", lambda v: (((b.reason,), 1) for b in v.blocks), ("reason",)),
    Measure(
        "breaker_tripped",
        "1 for each breaker that is tripped",
        lambda v: (((b.name,), b.tripped) for b in v.breakers),
        ("breaker",),
    ),
    Measure(
        "breaker_used_ratio",
        "How much of each breaker's limit is used",
        lambda v: (((b.name,), _of(b.used)) for b in v.breakers),
        ("breaker",),
    ),
    Measure("elapsed_seconds", "Since the run began, by the desk's clock", lambda v: _one(v.elapsed_ns / _SECOND_NS)),
    Measure("equity", "Cash and open positions at their marks", lambda v: _one(_of(v.equity))),
    Measure("trading_pnl", "Change of equity in this run", lambda v: _one(_of(v.equity - v.starting_equity))),
    Measure("realized_pnl", "Realised in this run, before fees", lambda v: _one(_of(v.realized))),
    Measure("unrealized_pnl", "Of open positions", lambda v: _one(_of(v.unrealized))),
    Measure("day_pnl", "Since the day began (UTC)", lambda v: _one(_of(v.day_pnl))),
    Measure("fees", "Paid in this run", lambda v: _one(_of(v.fees))),
    Measure("funding", "Paid (negative: received) in this run", lambda v: _one(_of(v.funding))),
    Measure("drawdown_ratio", "Below the peak of equity", lambda v: _one(_of(v.drawdown))),
    Measure("heat_ratio", "Loss at the stops over equity", lambda v: _one(_of(v.heat))),
    Measure("heat_limit_ratio", "The most of it that is allowed", lambda v: _one(_of(v.heat_limit))),
    Measure("exposure", "Gross, at the marks", lambda v: _one(_of(v.exposure))),
    Measure("positions", "Open ones", lambda v: _one(len(v.positions))),
    Measure("working_orders", "At the broker or on their way", lambda v: _one(len(v.orders))),
    Measure("orders_total", "Sent to the broker", lambda v: _one(v.orders_total)),
    Measure("orders_rejected_total", "Refused by the broker", lambda v: _one(v.rejects_total)),
    Measure("fills_total", "Booked", lambda v: _one(v.fills_total)),
    Measure("trades_total", "Closed", lambda v: _one(v.trades)),
    Measure("trades_won_total", "Closed with a profit after fees", lambda v: _one(v.wins)),
    Measure(
        "signals_total", "By terminal state", lambda v: (((s,), count) for s, count in v.signals.items()), ("state",)
    ),
    Measure(
        "signals_by_reason_total",
        "By reason code",
        lambda v: (((r,), count) for r, count in v.signal_reasons.items()),
        ("reason",),
    ),
    Measure("signals_in_flight", "Without a terminal state yet", lambda v: _one(v.signals_in_flight)),
    Measure("market_events_total", "Taken by the core", lambda v: _one(v.market_events)),
    Measure(
        "feed_age_seconds",
        "Since the newest data of each symbol",
        lambda v: (((f.symbol,), _age(v, f.last_ns)) for f in v.feeds if not f.closed),
        ("symbol",),
    ),
    Measure("errors_total", "Of level ERROR and above", lambda v: _one(v.heartbeat.error_count)),
    Measure("feed_gaps_total", "Gaps in the data", lambda v: _one(v.heartbeat.gap_count)),
    Measure("ticks_dropped_total", "Conflated in a full inbox", lambda v: _one(v.heartbeat.dropped_ticks)),
    Measure("heartbeats_total", "Beats", lambda v: _one(v.heartbeat.count)),
    Measure(
        "heartbeats_unhealthy_total", "Beats at which it was not healthy", lambda v: _one(v.heartbeat.unhealthy_beats)
    ),
    Measure("heartbeat_gap_seconds", "The longest so far", lambda v: _one(v.heartbeat.max_gap_ns / _SECOND_NS)),
    Measure("heartbeat_late_seconds", "p99 of the last minute", lambda v: _one(v.heartbeat.late_p99_us / _SECOND_US)),
    Measure("loop_lag_seconds", "p99 of the last minute", lambda v: _one(v.heartbeat.loop_lag_p99_us / _SECOND_US)),
    Measure("commit_seconds", "p99 of the last minute", lambda v: _one(v.heartbeat.commit_p99_us / _SECOND_US)),
    Measure("decision_seconds", "p99 of the last minute", lambda v: _one(v.heartbeat.decision_p99_us / _SECOND_US)),
    Measure(
        "work_age_seconds",
        "Since each task last did its work",
        lambda v: (((w.name,), w.age_ns / _SECOND_NS) for w in v.heartbeat.works),
        ("work",),
    ),
    Measure("memory_peak_bytes", "Largest resident size so far", lambda v: _one(v.heartbeat.rss_bytes)),
    Measure("open_descriptors", "Open ones", lambda v: _one(v.heartbeat.descriptors)),
    Measure("threads", "Of the interpreter", lambda v: _one(v.heartbeat.threads)),
    Measure("disk_free_bytes", "Where the desk writes", lambda v: _one(v.heartbeat.disk_free_bytes)),
    Measure("journal_rows", "In the journal", lambda v: _one(v.journal_rows)),
    Measure("discrepancies", "That stand between the two books", lambda v: _one(len(v.reconciliation.discrepancies))),
)
"""Everything that is exported, in order."""


class DeskCollector(Collector):
    """Collects from a desk whenever it is asked; `view` gives the newest one, None before the first."""

    def __init__(self, view: Callable[[], DeskView | None]) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        view = self._view()
        if view is None:
            return
        for measure in MEASURES:
            name, labels = f"{view.env}_{measure.name}", measure.labels
            kind = CounterMetricFamily if measure.is_counter else GaugeMetricFamily
            family = kind(name, measure.help, labels=labels)
            for values, value in measure.values(view):
                family.add_metric(values, value)
            yield family


class MetricsServer:
    """Serves a desk's metrics on a loopback address, in a thread of its own.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, view: Callable[[], DeskView | None], host: str, port: int) -> None:
        """Listen. Raises OSError."""
        registry = CollectorRegistry()
        registry.register(DeskCollector(view))
        self._server: HTTPServer
        self._server, self._thread = start_http_server(port, host, registry)
        self.port = int(self._server.server_port)
        log.info("metrics are served at http://%s:%d/metrics", host, self.port)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2)
