"""The regime by a volatility index: how much of the heat limit is in force, and which strategies may enter.

A regime constrains entries and nothing else: no transition closes a position. Without a value, or with one that is too
old, the regime is UNKNOWN and the strictest share of the heat limit is in force. A calmer regime comes into force only
once the level is clearly below the threshold; the crossing itself is recorded all the same.
"""

from typing import Final

from engine.core import money
from engine.core.config import HOUR, RegimeModel
from engine.core.desk import Desk
from engine.core.events import SessionPhase, VolatilityRead
from engine.core.facts import ExposureSpiked, FeedNoted, RegimeChanged, StrategySwitched
from engine.core.words import AlertKind, Regime

RANK: Final = {regime: rank for rank, regime in enumerate(Regime)}


def by_level(level: int, model: RegimeModel) -> Regime:
    """The regime `level` alone means."""
    if level >= model.crisis_from:
        return Regime.CRISIS
    if level >= model.elevated_from:
        return Regime.ELEVATED
    return Regime.NORMAL if level >= model.normal_from else Regime.LOW


def settled(level: int, held: Regime, model: RegimeModel) -> Regime:
    """The regime in force at `level` while `held` was: up at once, down only below threshold less hysteresis."""
    raw = by_level(level, model)
    if held is Regime.UNKNOWN:
        return raw
    kept = min(held, by_level(level + model.hysteresis, model), key=RANK.__getitem__)
    return max(raw, kept, key=RANK.__getitem__)


class Regimes:
    """The regime of one desk: what is read, what follows from it, and what is watched after a transition."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._model = desk.config.regimes

    # --- a run begins ---

    def begin(self) -> None:
        """A run begins: another index than the one behind the regime says nothing about it any more."""
        now = self._desk.state.regime
        now.off = []
        if now.source != self._model.source:
            previous_level = now.level
            now.level, now.of_ns, now.source, now.simulated = 0, 0, self._model.source, False
            self._move(Regime.UNKNOWN, Regime.UNKNOWN, self._why_unknown(), previous_level)
        self._switch()

    def open(self) -> None:
        """Entries may begin: say so where the regime is not known."""
        if self._desk.state.regime.regime is Regime.UNKNOWN:
            self._alert(self._why_unknown())

    # --- a value arrives, or none does ---

    def read(self, read: VolatilityRead) -> None:
        """Take a value of the index; an older one than the one in hand changes nothing."""
        desk, now, model = self._desk, self._desk.state.regime, self._model
        if read.of_ns > read.at_ns or read.level <= 0:
            text = f"{read.source}: the value {money.text(read.level)} is not above zero, or stands for a time to come"
            desk.state.tally.data_rejects += 1
            desk.emit(FeedNoted(read.at_ns, "", "DATA_REJECTED", text, 1))
            return
        if read.of_ns < now.of_ns:
            return
        known = desk.at_ns - read.of_ns <= model.max_age_ns
        raw = by_level(read.level, model) if known else Regime.UNKNOWN
        regime = settled(read.level, now.regime, model) if known else Regime.UNKNOWN
        previous_level = now.level
        now.level, now.of_ns, now.source, now.simulated = read.level, read.of_ns, read.source, read.simulated
        self._move(regime, raw, self._reading_text(regime, raw), previous_level)

    def expire(self) -> None:
        """Forget a value that has become too old."""
        now = self._desk.state.regime
        if now.regime is not Regime.UNKNOWN and self._desk.at_ns - now.of_ns > self._model.max_age_ns:
            text = self._why_unknown()
            self._move(Regime.UNKNOWN, Regime.UNKNOWN, text, now.level)
            if self._desk.state.phase is SessionPhase.RUNNING:  # earlier, a newer value may still be read
                self._alert(text)

    def next_due_ns(self) -> int:
        """When the value in hand becomes too old; 0 if there is none."""
        now = self._desk.state.regime
        return now.of_ns + self._model.max_age_ns + 1 if now.regime is not Regime.UNKNOWN else 0

    # --- a transition ---

    def _move(self, regime: Regime, raw: Regime, text: str, previous_level: int) -> None:
        """Put `regime` in force and record what changed; nothing is said where nothing did."""
        desk, now = self._desk, self._desk.state.regime
        previous, before = now.regime, desk.heat_limit()
        if regime is previous and raw is now.raw:
            return
        now.regime, now.raw = regime, raw
        exposure = desk.exposure()
        desk.emit(
            RegimeChanged(
                at_ns=desk.at_ns,
                previous=previous,
                regime=regime,
                raw=raw,
                previous_level=previous_level,
                level=now.level,
                of_ns=now.of_ns,
                source=now.source,
                simulated=now.simulated,
                heat_limit_before=before,
                heat_limit=desk.heat_limit(),
                exposure=exposure,
                text=text,
            )
        )
        if regime is not previous:
            now.since_ns = desk.at_ns
            now.watch_until_ns, now.exposure_before = desk.at_ns + self._model.spike_window_ns, exposure
            self._switch()

    def _switch(self) -> None:
        """Let the strategies enter that this regime allows, and no others."""
        desk, now = self._desk, self._desk.state.regime
        off = [spec.strategy_id for spec in desk.config.strategies if not spec.enters_in(now.regime)]
        for spec in desk.config.strategies:
            if (spec.strategy_id in off) != (spec.strategy_id in now.off):
                desk.emit(StrategySwitched(desk.at_ns, spec.strategy_id, spec.strategy_id not in off, now.regime))
        now.off = off

    # --- after a transition ---

    def watch(self) -> None:
        """Tell, once, that gross exposure has risen beyond the bound since the newest transition."""
        desk, now, limit = self._desk, self._desk.state.regime, self._model.spike_rise
        if desk.at_ns > now.watch_until_ns:
            now.watch_until_ns = 0
            return
        base, exposure = now.exposure_before or desk.equity, desk.exposure()
        rise = money.div(exposure - now.exposure_before, base) if base > 0 else money.SCALE
        if exposure <= now.exposure_before or rise <= limit:
            return
        now.watch_until_ns = 0
        desk.emit(ExposureSpiked(desk.at_ns, now.regime, now.since_ns, now.exposure_before, exposure, rise, limit))
        text = f"gross exposure rose by {money.text(rise * 100, 1)} % after the regime became {now.regime}"
        desk.alert(AlertKind.EXPOSURE_SPIKE, text)

    # --- in words ---

    def _alert(self, text: str) -> None:
        share = money.text(self._model.heat_share(Regime.UNKNOWN) * 100, 0)
        self._desk.alert(AlertKind.REGIME_UNKNOWN, f"{text}: {share} % of the heat limit is in force")

    def _why_unknown(self) -> str:
        now = self._desk.state.regime
        if not self._model.source:
            return "this run reads no volatility index"
        if not now.level:
            return f"{now.source} has given no value"
        hours = (self._desk.at_ns - now.of_ns) // HOUR
        return f"the newest value of {now.source} is {hours} h old, at most {self._model.max_age_ns // HOUR} h count"

    def _reading_text(self, regime: Regime, raw: Regime) -> str:
        level = money.text(self._desk.state.regime.level, 2)
        if regime is Regime.UNKNOWN:
            return self._why_unknown()
        if regime is raw:
            return f"the volatility index stands at {level}"
        return f"the volatility index stands at {level}, which alone is {raw}: {regime} holds within the hysteresis"
