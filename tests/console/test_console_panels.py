"""What each panel says in the states that matter."""

from collections.abc import Sequence

import msgspec
import pytest

from console.panels import breakers, equity, events, heartbeat, heat, market, orders, positions, signals
from console.panels.status import progress_line, state, status_line, why_lines
from console.text import Line, Seen, Tone
from engine.core.events import FeedHealth, SessionPhase
from engine.core.money import parse
from engine.core.view import BlockView, DeskView, FeedView, HeartbeatView, RegimeView
from engine.core.words import ReasonCode, Side
from tests.console import sample_desk as sample

SECOND = sample.SECOND


def text(lines: Sequence[Line]) -> str:
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)


def told(view: DeskView, width: int = 80, silent_ns: int = 0) -> str:
    return " ".join(text(why_lines(Seen(view, silent_ns), width)).split())


# --- positions and orders ---


def test_positions_keep_their_places_and_show_what_they_are_worth() -> None:
    shown = text(positions.rows(Seen(sample.BUSY), 120)).splitlines()
    assert [line.split()[0] for line in shown] == ["Symbol", "BTCUSDT", "DOTUSDT", "SOLUSDT"]
    assert shown[1].split()[1:] == [
        *("LONG", "0.0061", "61204.50", "61388.00", "+1.12"),
        *("60310.00", "1.76", "%", "62993.50", "0.21", "%", "41m", "trend"),
    ]


def test_a_narrow_panel_keeps_symbol_side_and_gain() -> None:
    shown = text(positions.rows(Seen(sample.BUSY), 24)).splitlines()
    assert shown[0].split() == ["Symbol", "Side", "P&L"]


def test_a_position_without_a_stop_says_so() -> None:
    bare = msgspec.structs.replace(sample.POSITIONS[0], stop=0)
    assert "none" in text(positions.rows(Seen(sample.changed(sample.BUSY, positions=(bare,))), 90))


def test_nothing_open_is_said_in_words() -> None:
    assert "no open position" in text(positions.rows(Seen(sample.EMPTY), 50))
    assert "no working order" in text(orders.rows(Seen(sample.EMPTY), 50))


def test_a_partly_filled_order_shows_its_share() -> None:
    assert "42 %" in text(orders.rows(Seen(sample.BUSY), 90))


def test_a_stop_order_shows_where_it_fires_and_a_stuck_one_says_so_in_words() -> None:
    waiting = msgspec.structs.replace(sample.ORDERS[0], state="SUBMITTED", stuck=True)
    shown = text(orders.rows(Seen(sample.changed(sample.BUSY, orders=(waiting,))), 90))
    assert "60310" in shown or "60,310" in shown
    assert "stuck SUBMITTED" in shown


# --- heat ---


@pytest.mark.parametrize(
    ("used", "said", "tone"),
    [("0.0042", "ok 42 %", Tone.GOOD), ("0.0081", "! near 81 %", Tone.WARN), ("0.0101", "x full 101 %", Tone.BAD)],
)
def test_heat_says_in_words_how_near_its_limit_is(used: str, said: str, tone: Tone) -> None:
    seen = Seen(sample.changed(sample.BUSY, heat=parse(used)))
    assert said in text([heat.title(seen, 40)])
    assert tone in {span.tone for span in heat.title(seen, 40)}


def test_heat_without_a_limit_is_too_much_heat() -> None:
    assert "x full" in text([heat.title(Seen(sample.changed(sample.BUSY, heat_limit=0)), 40)])


def test_heat_names_its_figures_and_its_largest_position_first() -> None:
    shown = text(heat.rows(Seen(sample.BUSY), 44)).splitlines()
    assert shown[1].split() == ["0.42", "%", "of", "1.00", "%", "limit", "0.58", "%", "free"]
    assert [line.split()[0] for line in shown[2:]] == ["BTCUSDT", "SOLUSDT", "DOTUSDT"]


@pytest.mark.parametrize(
    ("width", "figures"),
    [
        (29, ["0.42", "%", "of", "0.40", "%", "UNKNOWN", "x0.4"]),
        (56, ["0.42", "%", "of", "0.40", "%", "UNKNOWN", "x0.4", "0.00", "%", "free"]),
    ],
)
def test_heat_names_the_regime_that_took_some_of_the_limit(width: int, figures: list[str]) -> None:
    view = sample.changed(sample.BUSY, heat_limit=parse("0.004"), regime=RegimeView(heat_share=parse("0.4")))
    assert text(heat.rows(Seen(view), width)).splitlines()[1].split() == figures


# --- market ---


def test_the_market_names_the_regime_its_origin_and_the_phases() -> None:
    seen = Seen(sample.BUSY)
    assert "ok NORMAL 17.20" in text([market.title(seen, 43)])
    shown = text(market.rows(seen, 43)).splitlines()
    assert shown[0].split() == ["generated", "12h00m", "old", "100", "%", "of", "heat"]
    assert shown[1] == "SIDEWAYS 2  TREND_UP 1  VOLATILE 1"


def test_the_market_says_what_is_not_known_and_who_may_not_enter() -> None:
    unknown = RegimeView(heat_share=parse("0.4"), off=("trend",))
    seen = Seen(sample.changed(sample.BUSY, regime=unknown, market_phases={}))
    assert text([market.title(seen, 43)]).endswith("! UNKNOWN")
    assert text(market.rows(seen, 43)).splitlines() == [
        "no volatility index            40 % of heat",
        "no market phase yet",
        "not entering: trend",
    ]


# --- breakers ---


def test_every_breaker_shows_its_distance_to_the_trip() -> None:
    shown = text(breakers.rows(Seen(sample.BUSY), 30))
    for words in ("losses in a row", "1 left", "37.70 left", "4.58 % left", "8.90 % left", "20 left"):
        assert words in shown
    assert "! 1 near" in text([breakers.title(Seen(sample.BUSY), 44)])


def test_a_tripped_breaker_says_what_it_does_and_what_lifts_it() -> None:
    shown = text(breakers.rows(Seen(sample.BLOCKED), 80))
    assert "x  daily loss" in shown
    assert "TRIPPED" in shown
    meaning = "50.12 >= 50.00 at 12:02:58Z; halts the day; lifted by the next trading day, or reset-breaker, in 11h56m"
    assert meaning in " ".join(shown.split())
    assert shown.startswith("x  daily loss"), "tripped ones stand first"
    assert "x 1 TRIPPED" in text([breakers.title(Seen(sample.BLOCKED), 44)])


def test_a_soft_breaker_blocks_and_is_no_alarm() -> None:
    soft = msgspec.structs.replace(sample.BREAKERS[9], value=parse("8"), used=parse("1"), tripped=True)
    view = sample.changed(sample.BUSY, breakers=(*sample.BREAKERS[:9], soft))
    shown = text(breakers.rows(Seen(view), 60))
    assert "BLOCKS" in shown
    assert "TRIPPED" not in shown + text([breakers.title(Seen(view), 44)])


def test_an_outage_that_lasts_is_shown_in_time() -> None:
    lasting = msgspec.structs.replace(
        sample.BREAKERS[6], value=parse("480"), limit=parse("600"), unit="seconds", used=parse("0.8")
    )
    assert "2m00s left" in text(breakers.rows(Seen(sample.changed(sample.BUSY, breakers=(lasting,))), 30))


# --- signals ---


def test_refused_signals_are_counted_by_the_rules_own_words() -> None:
    shown = " ".join(text(signals.rows(Seen(sample.BUSY), 49)[:2]).split())
    assert shown == "executed 12 refused 18 max_positions 7 correlation 4 below_min_notional 3 other 4"
    roomy = " ".join(text(signals.rows(Seen(sample.BUSY), 98)[:2]).split())
    assert roomy.endswith("below_min_notional 3 cancelled_unfilled 2 heat 2")


def test_signals_that_do_not_add_up_are_an_alarm() -> None:
    assert "ok adds up" in text([signals.title(Seen(sample.BUSY), 60)])
    lost = sample.changed(sample.BUSY, signals_total=33)
    assert "x 2 UNEXPLAINED" in text([signals.title(Seen(lost), 60)])


def test_each_signal_says_how_and_why_it_ended() -> None:
    wide = text(signals.rows(Seen(sample.BUSY), 100))
    assert "x heat " in wide
    assert "heat would be 1.08 %, limit 1.00 %" in wide
    assert "~ in flight" in wide


@pytest.mark.parametrize("width", [49, 72, 98])
def test_the_reason_of_a_refusal_is_whole_on_every_screen_and_its_id_beside_it(width: int) -> None:
    longest = max(ReasonCode, key=lambda code: len(code.value))
    run = sample.BUSY.run_id
    refused = sample.signal(1, "BTCUSDT", Side.LONG, longest, "22 messages in the last minute", 1)
    of_run = msgspec.structs.replace(refused, signal_id=f"{run}-123456-1")
    *_, line = signals.rows(Seen(sample.changed(sample.BUSY, recent_signals=(of_run,))), width)
    assert f" {longest.value}" in text([line])
    assert " 123456-1 " in text([line])
    assert "LONG" in text([line]) and " x " in text([line]), "the side and the sign are never left out"


# --- heartbeat ---


def test_a_beat_on_a_scaled_clock_has_no_age_but_the_observers() -> None:
    late = msgspec.structs.replace(sample.PULSE, last_ns=sample.NOW - 60 * SECOND)
    scaled = sample.changed(sample.BUSY, clock="scaled", heartbeat=late)
    assert text([heartbeat.title(Seen(scaled), 40)]).endswith("ok beating")
    assert text([heartbeat.title(Seen(scaled, silent_ns=12 * SECOND), 40)]).endswith("x  last beat 12s ago")
    wall = sample.changed(scaled, clock="wall")
    assert text([heartbeat.title(Seen(wall), 40)]).endswith("x  last beat 1m00s ago")


def test_ages_below_two_seconds_are_not_shown() -> None:
    one = text(heartbeat.rows(Seen(sample.BUSY), 44))
    later = sample.changed(sample.BUSY, at_ns=sample.NOW + SECOND // 2)
    assert "4/4 live, fresh" in one
    assert text(heartbeat.rows(Seen(later), 44)) == one


def test_the_oldest_data_is_named_with_its_age() -> None:
    assert "3/4 live, LTCUSDT 20s" in text(heartbeat.rows(Seen(sample.BLOCKED), 44))


def test_a_silent_symbol_is_named() -> None:
    feeds = (*sample.FEEDS, FeedView("NEWUSDT", FeedHealth.DOWN, 0, 0, 0))
    assert "4/5 live, NEWUSDT silent" in text(heartbeat.rows(Seen(sample.changed(sample.BUSY, feeds=feeds)), 44))


def test_a_missing_beat_is_told_by_age() -> None:
    def pulse(ago: int) -> Seen:
        beat = HeartbeatView(count=9, last_ns=sample.NOW - ago * SECOND)
        return Seen(sample.changed(sample.BUSY, heartbeat=beat))

    assert heartbeat.beat(pulse(1)) == (Tone.GOOD, "beating")
    assert heartbeat.beat(pulse(3)) == (Tone.WARN, "last beat 3s ago")
    assert heartbeat.beat(pulse(11)) == (Tone.BAD, "last beat 11s ago")
    assert heartbeat.beat(Seen(sample.EMPTY)) == (Tone.WARN, "no beat yet")


def test_a_lagging_loop_is_marked() -> None:
    pulse = msgspec.structs.replace(sample.PULSE, loop_lag_p99_us=60_000)
    shown = text(heartbeat.rows(Seen(sample.changed(sample.BUSY, heartbeat=pulse)), 44))
    assert "!  loop lag p99 60 ms" in shown


# --- equity and events ---


def test_the_newest_equity_stands_at_the_right_end() -> None:
    rows = equity.spark([parse("1"), parse("3"), parse("2")], 5, 1)
    assert [len(row) for row in rows] == [5]
    assert rows[0].startswith("  ▁█")
    assert equity.spark([parse("7")] * 4, 4, 2) == ["    ", "▁▁▁▁"]
    assert equity.spark([], 3, 1) == ["   "]


def test_the_equity_line_carries_the_band_where_it_fits() -> None:
    seen = Seen(sample.changed(sample.BUSY, net_pnl_pessimistic=parse("9.1"), net_pnl_optimistic=parse("14")))
    assert "10,012.34  +12.34 (+9.10 to +14.00)" in text([equity.title(seen, 60)])
    assert text([equity.title(seen, 36)]).endswith("+12.34")
    assert "to" not in text([equity.title(Seen(sample.BUSY), 60)])


def test_events_carry_their_level_as_a_sign() -> None:
    shown = text(events.rows(Seen(sample.BUSY), 70)).splitlines()
    assert [line[0] for line in shown] == [" ", " ", "!", "x"]
    assert "2 of the last 4 want attention" in text([events.title(Seen(sample.BUSY), 70)])


# --- the head ---


def running(**fields: object) -> Seen:
    return Seen(sample.changed(sample.BUSY, **fields))


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (running(), "ok RUNNING"),
        (running(phase=SessionPhase.INITIALIZING), "~ STARTING…"),
        (running(phase=SessionPhase.SEEDING_HISTORY), "~ SEEDING…"),
        (running(blocks=(sample.OPERATOR,)), "! PAUSED"),
        (running(blocks=(sample.OPERATOR, sample.HALT)), "x HALTED"),
        (running(blocks=(sample.HALT,), kill_latched=True), "x KILLED"),
        (running(phase=SessionPhase.SHUTTING_DOWN), "! SHUTTING DOWN"),
        (running(phase=SessionPhase.SHUTTING_DOWN, kill_latched=True), "! KILLED, SHUTTING DOWN"),
        (running(phase=SessionPhase.COMPLETED), "ok ENDED"),
        (running(phase=SessionPhase.COMPLETED, kill_latched=True), "x KILLED, ENDED"),
        (running(phase=SessionPhase.FATAL_ERROR), "x FAILED"),
    ],
)
def test_the_run_state_is_told_in_words(seen: Seen, words: str) -> None:
    assert state(seen).text == words
    assert words in text([status_line(seen, 80)])


def test_a_silent_desk_turns_stale_in_words_after_two_seconds() -> None:
    assert state(Seen(sample.BUSY, 2 * SECOND)).text == "ok RUNNING"
    assert state(Seen(sample.BUSY, 3 * SECOND + 1)).text == "x STALE 3s"
    assert "has not reported for 3s" in told(sample.BUSY, silent_ns=3 * SECOND)


def test_an_ended_desk_may_be_silent() -> None:
    assert state(Seen(sample.changed(sample.BUSY, phase=SessionPhase.COMPLETED), 60 * SECOND)).text == "ok ENDED"


def test_the_env_comes_from_the_stamp() -> None:
    assert " PAPER " in text([status_line(Seen(sample.BUSY), 80)])
    live = status_line(running(env="live"), 80)
    assert "LIVE: REAL MONEY" in text([live])
    assert live[0].tone is Tone.LIVE
    assert status_line(running(env="\x1b[2Jpaper?"), 80)[0].tone is Tone.LIVE


def test_the_head_says_what_runs_and_how_far_it_is() -> None:
    line = text([progress_line(Seen(sample.BUSY), 120)])
    assert "run 20260105-085556  sim paper generated  regime NORMAL 17.2" in line
    assert "sim paper generated  regime NORMAL 17.2" in text([progress_line(Seen(sample.BUSY), 80)])
    assert "03:06:52 of 72h" in line
    assert "4 %" in line
    assert "up 03:06:52" in text([progress_line(running(duration_ns=0), 80)])
    assert "seeding history, 3 of 8 symbols" in text([progress_line(Seen(sample.EMPTY), 80)])


# --- why is it not trading? ---


def test_open_entries_are_said_quietly() -> None:
    assert told(sample.BUSY) == "ok entries are open"


def test_every_block_is_named_with_what_lifts_it() -> None:
    assert told(sample.BLOCKED) == (
        "! Why is it not trading? paused by anna at 12:02:07, lifted by resume (r); LTCUSDT silent for 15 s, lifted by "
        "fresh data; daily loss 50.12 >= 50.00, lifted by the next trading day, or reset-breaker, in 11h56m"
    )


def test_many_blocks_shrink_to_their_names_but_all_are_there() -> None:
    reasons = ("operator", "starting", "stale_data", "breaker", "reconciliation", "journal", "unknown_order")
    blocks = tuple(BlockView(reason, "a long sentence " * 6, "a long story " * 5, 0) for reason in reasons)
    lines = why_lines(running(blocks=blocks), 80)
    assert len(lines) <= 3
    for reason in reasons:
        assert reason.replace("_", " ") in text(lines)


def test_a_kill_names_the_only_way_back() -> None:
    assert "nightdesk rearm" in told(sample.KILLED)
