"""Metrics: every figure of the table is served and is the desk's own, and the dashboard asks for nothing else."""

import json
import math
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.core.view import DeskView, HeartbeatView, WorkView
from engine.session.metrics import MEASURES, MetricsServer
from engine.session.settings import ControlFile
from tests.session.desk_double import a_view, killed

REPO = Path(__file__).parents[2]


class Served:
    def __init__(self) -> None:
        self.now: DeskView | None = a_view()
        self.server = MetricsServer(lambda: self.now, "127.0.0.1", 0)

    def samples(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """Everything served, by name and label values."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        families = text_string_to_metric_families(text)
        return {(s.name, tuple(s.labels.values())): s.value for family in families for s in family.samples}


@pytest.fixture
def served() -> Iterator[Served]:
    found = Served()
    yield found
    found.server.close()


def test_a_scrape_has_the_desks_own_figures(served: Served) -> None:
    beat = HeartbeatView(
        count=90, unhealthy=("no data",), unhealthy_beats=4, works=(WorkView("timer_task", 1_500_000_000, 9),)
    )
    served.now = a_view(heartbeat=beat, orders_total=7, rejects_total=2, fills_total=5, wins=1)
    found = served.samples()
    expected: dict[tuple[str, tuple[str, ...]], float] = {
        ("paper_up", ()): 1,
        ("paper_healthy", ()): 0,
        ("paper_kill_latched", ()): 0,
        ("paper_blocked", ("operator",)): 1,
        ("paper_breaker_tripped", ("consecutive_losses",)): 1,
        ("paper_equity", ()): 9990.12345678,
        ("paper_trading_pnl", ()): -9.87654322,
        ("paper_heat_ratio", ()): 0.0002,
        ("paper_heat_limit_ratio", ()): 0.01,
        ("paper_orders_total", ()): 7,
        ("paper_orders_rejected_total", ()): 2,
        ("paper_fills_total", ()): 5,
        ("paper_trades_total", ()): 3,
        ("paper_trades_won_total", ()): 1,
        ("paper_signals_total", ("EXECUTED",)): 3,
        ("paper_feed_age_seconds", ("BTCUSDT",)): 0.4,
        ("paper_heartbeats_total", ()): 90,
        ("paper_heartbeats_unhealthy_total", ()): 4,
        ("paper_work_age_seconds", ("timer_task",)): 1.5,
        ("paper_market_events_total", ()): 1234,
    }
    assert {key: found[key] for key in expected} == pytest.approx(expected)


def test_every_measure_is_served_under_the_environments_name(served: Served) -> None:
    feeds = tuple(msgspec.structs.replace(feed, last_ns=0) for feed in a_view().feeds)
    served.now = killed(
        env="live", feeds=feeds, signal_reasons={"heat": 2}, heartbeat=HeartbeatView(works=(WorkView("journal", 0, 1),))
    )
    found = served.samples()
    assert {name for name, _ in found} == {f"live_{measure.name}" for measure in MEASURES}
    assert found["live_kill_latched", ()] == 1
    assert math.isnan(found["live_feed_age_seconds", ("BTCUSDT",)]), "never is no age"


def test_before_there_is_anything_durable_nothing_is_served(served: Served) -> None:
    served.now = None
    assert served.samples() == {}


def test_metrics_stay_on_this_machine() -> None:
    assert ControlFile(env="paper", metrics="127.0.0.1:9464").metrics
    with pytest.raises(ValueError, match="must be on this machine"):
        ControlFile(env="paper", metrics="0.0.0.0:9464")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPO / "docs" / "grafana.json").read_text())
    return found


def test_the_dashboard_asks_only_for_what_there_is_with_its_labels() -> None:
    known = {measure.name: set(measure.labels) for measure in MEASURES}
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        for target in panel["targets"]:
            (name,) = re.findall(r"\$\{env\}_([a-z_]+)", target["expr"])
            assert name in known, target["expr"]
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known[name]


def test_no_panel_of_the_dashboard_lies_over_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


def test_the_documentation_lists_every_measure_in_order() -> None:
    text = (REPO / "docs" / "metrics.md").read_text()
    listed = re.findall(r"^\| `([a-z_]+)` \| ([^|]*) \| ([^|]*) \|$", text, re.MULTILINE)
    told = [
        (m.name, f"{'counter' if m.is_counter else 'gauge'}{f', by {m.labels[0]}' if m.labels else ''}", m.help)
        for m in MEASURES
    ]
    assert [tuple(cell.strip() for cell in row) for row in listed] == told
