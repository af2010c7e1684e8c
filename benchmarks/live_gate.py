"""What the live gate costs in the order path: one question before every live order."""

import time
from typing import Final

from benchmarks.figures import Figure
from engine.core import money
from engine.core.facts import Submit
from engine.core.words import OrderKind, TimeInForce
from engine.review.live_gate import Level, Standing
from engine.session.live_gate import LiveGate

ASKED: Final = 200_000
BUDGET_US: Final = 20.0


def run() -> list[Figure]:
    """How long one answer takes, the slowest in a hundred."""
    standing = Standing(Level.LIMITED, 100 * money.SCALE, 1 << 62, ())
    gate = LiveGate(lambda: standing, lambda _: None)
    order = Submit("o", "BTCUSDT", money.SCALE // 1_000, OrderKind.LIMIT, TimeInForce.GTC, 60_000 * money.SCALE, False)
    took = []
    for _ in range(ASKED):
        begun = time.perf_counter_ns()
        refusal = gate.refusal(order, 60_000 * money.SCALE, 0, 1)
        took.append(time.perf_counter_ns() - begun)
        assert not refusal
    took.sort()
    p99_us = took[len(took) * 99 // 100] / 1_000
    return [Figure("live gate check p99", p99_us, "us", "at most", BUDGET_US)]
