"""Configuration: what is read, what is refused and how it is said, where a value came from, what the core is given."""

import builtins
import io
import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.core import money
from engine.core.breaker_table import BREAKERS
from engine.core.config import (
    ASSUMED,
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Instrument,
    Limits,
    QueueRule,
    RegimeModel,
    StrategySpec,
)
from engine.core.limits import COUNTS, FLOORS, HARD, looser_than_hard
from engine.core.risk import RULES
from engine.session.alerting.settings import AlertsFile
from engine.session.config import PLAIN_VARIABLES, SHIPPED, Config, load, to_core
from engine.session.dotenv import Problem
from engine.session.fields import duration_text, parse_duration
from engine.session.layers import ConfigRefused, FileModel, Override, Section
from engine.session.rules import venue_names
from engine.session.secret import Secret
from engine.session.settings import (
    LIMIT_OF,
    ControlFile,
    DeskFile,
    RegimeFile,
    RiskFile,
    ValidationFile,
    VenueFile,
    parse_listening,
)

NOWHERE = Path("/nonexistent/.env")
REPO = Path(__file__).parents[2]


def read(env: str = "paper", **kwargs: Any) -> Config:
    return load(env, **{"variables": {}, "dotenv": NOWHERE, **kwargs})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the shipped trees to change."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "config"))


def edit(path: Path, key: str, value: str) -> None:
    """Set `key` in a TOML file to `value`, verbatim."""
    text, count = re.subn(rf"(?m)^#? ?{key} = .*$", f"{key} = {value}", path.read_text())
    path.write_text(text if count else f"{text}\n{key} = {value}\n")


def refusal(**kwargs: Any) -> str:
    with pytest.raises(ConfigRefused) as refused:
        read(**kwargs)
    return str(refused.value)


# --- durations ---


@pytest.mark.parametrize(
    ("text", "ns"), [("90s", 90 * SECOND), ("10m", 10 * MINUTE), ("72h", 72 * HOUR), ("14d", 14 * DAY), ("1ms", 10**6)]
)
def test_a_duration_is_a_whole_number_with_its_unit(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    "text", ["", "10", "s", "-1s", "1.5h", "1h30m", "0s", "10 parsecs", "9999999d", "٣s", "nan", 5]
)
def test_anything_else_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_duration(text)


@given(st.integers(1, 80_000), st.sampled_from(["ms", "s", "m", "h"]))
def test_a_duration_reads_back_as_it_is_written(count: int, unit: str) -> None:
    ns = parse_duration(f"{count}{unit}")
    assert parse_duration(duration_text(ns)) == ns


# --- the shipped trees ---


@pytest.mark.parametrize("env", ["paper", "live"])
def test_the_shipped_tree_loads_and_sends_no_live_order(env: str) -> None:
    config = read(env)
    assert config.env == env and config.desk.dry_run and not config.desk.live_trading_enabled
    assert looser_than_hard(config.limits) == []


@pytest.mark.parametrize("env", ["paper", "live"])
def test_shipped_files_show_every_key(env: str) -> None:
    files: dict[str, type[FileModel]] = {
        "desk.toml": DeskFile,
        "risk.toml": RiskFile,
        "regime.toml": RegimeFile,
        "validation.toml": ValidationFile,
        "control.toml": ControlFile,
    }
    files |= {f"venues/{name}.toml": VenueFile for name in ("sim",)}
    for name, model in files.items():
        text = (SHIPPED / env / name).read_text()
        missing = [key for key in model.model_fields if not re.search(rf"(?m)^#? ?{key} = ", text)]
        assert missing == [], name


def test_the_shipped_paper_files_say_what_the_defaults_are() -> None:
    shipped = read()
    assert shipped.desk == DeskFile(env="paper")
    assert shipped.risk == RiskFile(env="paper")
    assert shipped.regime == RegimeFile(env="paper")
    assert shipped.control == ControlFile(env="paper")
    assert shipped.api is None
    assert to_core(shipped, (), ()).regimes == RegimeModel()
    assert shipped.limits == Limits() == HARD


def test_every_limit_of_the_core_has_exactly_one_key() -> None:
    assert sorted(LIMIT_OF.values()) == sorted(Limits.__struct_fields__)
    assert set(LIMIT_OF) <= set(RiskFile.model_fields)


def test_every_limit_is_one_of_a_rule_or_a_breaker() -> None:
    """And so is tried just inside and just outside: the tests of both go through their whole tables."""
    of_rules = {LIMIT_OF[rule.key] for rule in RULES if rule.key in LIMIT_OF}
    of_breakers = {field for spec in BREAKERS for field in spec.limits}
    assert set(Limits.__struct_fields__) - of_rules - of_breakers == {"gap_allowance"}, "which is a part of the heat"


def test_the_example_environment_file_documents_every_variable() -> None:
    text = (REPO / ".env.example").read_text()
    documented = re.findall(r"(?m)^#((?:NIGHTDESK_|WEBHOOK_)[A-Z_]+)=", text)
    folder = SHIPPED / "paper"
    sections: list[Section[Any]] = [
        Section("desk", DeskFile, folder, ""),
        Section("risk", RiskFile, folder, "RISK_"),
        Section("regime", RegimeFile, folder, "REGIME_"),
        Section("validation", ValidationFile, folder, "VALIDATION_"),
        Section("control", ControlFile, folder, "CONTROL_"),
        Section("alerts", AlertsFile, folder, "ALERTS_"),
        *(Section("venue", VenueFile, folder, f"{name.upper()}_") for name in venue_names(folder)),
    ]
    known = set(PLAIN_VARIABLES).union(*(section.variables() for section in sections))
    assert sorted(documented) == sorted(known)


def test_it_loads_from_any_directory_and_gives_the_same_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = load("paper", variables={}).content_hash
    monkeypatch.chdir(tmp_path)
    assert load("paper", variables={}).content_hash == here


@pytest.mark.parametrize(("env", "other"), [("paper", "live"), ("live", "paper")])
def test_no_file_of_the_other_environment_is_opened(env: str, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real: Callable[..., Any] = io.open

    def spy(file: Any, *args: Any, **kwargs: Any) -> Any:
        opened.append(str(file))
        return real(file, *args, **kwargs)

    monkeypatch.setattr(io, "open", spy)
    monkeypatch.setattr(builtins, "open", spy)
    read(env)
    assert any(f"config/{env}/risk.toml" in path for path in opened)
    assert not any(f"config/{other}" in path for path in opened)


# --- precedence and origin ---


def test_command_line_beats_environment_beats_dotenv_beats_file_beats_default(tree: Path, tmp_path: Path) -> None:
    """FC-07."""
    dotenv = tmp_path / ".env"
    path = tree / "paper" / "desk.toml"
    seen = []

    def look(**kwargs: Any) -> None:
        config = read(tree=tree, **kwargs)
        seen.append((config.desk.seed, config.origins["desk.seed"]))

    path.write_text(re.sub(r"(?m)^seed = .*$", "", path.read_text()))
    look()
    edit(path, "seed", "2")
    look()
    dotenv.write_text("NIGHTDESK_SEED=3\n")
    look(dotenv=dotenv)
    look(dotenv=dotenv, variables={"NIGHTDESK_SEED": "4"})
    look(dotenv=dotenv, variables={"NIGHTDESK_SEED": "4"}, overrides={"desk.seed": Override("--seed", 5)})
    assert seen == [
        (7, "default"),
        (2, str(path)),
        (3, f"{dotenv} NIGHTDESK_SEED"),
        (4, "environment NIGHTDESK_SEED"),
        (5, "--seed"),
    ]


def test_a_variable_set_to_nothing_is_not_set() -> None:
    assert read(variables={"NIGHTDESK_SEED": ""}).origins["desk.seed"].endswith("desk.toml")


def test_variables_reach_every_section() -> None:
    config = read(
        variables={
            "NIGHTDESK_SYMBOLS": "BTCUSDT, ETHUSDT",
            "NIGHTDESK_RISK_HEAT_MAX_PERCENT": "0.5",
            "NIGHTDESK_SIM_REQUEST_TIMEOUT": "3s",
            "NIGHTDESK_BITUNIX_REQUEST_TIMEOUT": "4s",
        }
    )
    assert config.desk.symbols == ("BTCUSDT", "ETHUSDT")
    assert config.limits.heat_max == money.parse("0.005")
    assert config.venue.request_timeout == 3 * SECOND


def test_a_problem_is_placed_where_its_value_came_from() -> None:
    text = refusal(variables={"NIGHTDESK_RISK_POSITIONS_MAX": "6"})
    assert 'environment NIGHTDESK_RISK_POSITIONS_MAX: positions_max = "6": must be at most 5: a hard limit' in text


# --- refusals ---


def test_all_problems_are_reported_at_once_with_file_key_value_and_rule(tree: Path) -> None:
    paper = tree / "paper"
    edit(paper / "desk.toml", "dry_run", "false")
    edit(paper / "desk.toml", "breaker_action", '"panic"')
    edit(paper / "risk.toml", "heat_max_percent", '"2"')
    edit(paper / "risk.toml", "hate_max_percent", '"1"')
    edit(paper / "venues" / "sim.toml", "rest_url", '"ftp://x"')
    text = refusal(tree=tree)
    assert "5 problems" in text or "4 problems" in text
    assert f"{paper / 'desk.toml'}: breaker_action = \"panic\": must be 'halt_day', 'shutdown' or 'cooldown'" in text
    assert f'{paper / "risk.toml"}: heat_max_percent = "2": must be at most 1: a hard limit' in text
    assert 'hate_max_percent = "1": unknown key; did you mean heat_max_percent?' in text
    assert 'sim.toml: rest_url = "ftp://x": must be an http' in text


def just_looser(key: str, limit: str) -> str:
    """A value for `key` a little beyond its hard limit, as a file would write it."""
    step = -1 if limit in FLOORS else 1
    if limit in COUNTS:
        return str(getattr(HARD, limit) + step)
    if limit.endswith("_ns") or limit.endswith("_ns_max"):
        return f'"{getattr(HARD, limit) // SECOND + step}s"'
    shown = RiskFile(env="paper").model_dump(mode="json")[key]
    return f'"{money.text(money.parse(shown) + 100 * step)}"'


@pytest.mark.parametrize("env", ["paper", "live"])
@pytest.mark.parametrize(("key", "limit"), list(LIMIT_OF.items()))
def test_no_limit_can_be_loosened_past_the_hard_one(tree: Path, env: str, key: str, limit: str) -> None:
    path = tree / env / "risk.toml"
    looser = just_looser(key, limit)
    edit(path, key, looser)
    assert f"{path}: {key} = {looser}: must be at" in (text := refusal(env=env, tree=tree))
    assert "a hard limit in the program" in text
    assert getattr(HARD, limit) == getattr(Limits(), limit)


def test_larger_accounts_have_larger_hard_amounts_and_the_same_shares(tree: Path) -> None:
    edit(tree / "paper" / "risk.toml", "daily_loss_max_usd", '"100"')
    assert 'daily_loss_max_usd = "100": must be at most 50: a hard limit' in (text := refusal(tree=tree))
    assert "it is that of an account of 10000" in text
    edit(tree / "paper" / "desk.toml", "starting_capital_usd", '"24999.99"')
    assert "must be at most 50" in refusal(tree=tree)
    edit(tree / "paper" / "desk.toml", "starting_capital_usd", '"25000"')
    assert read(tree=tree).limits.daily_loss_max == money.parse("100")
    edit(tree / "paper" / "risk.toml", "daily_loss_max_usd", '"100.01"')
    assert "must be at most 100:" in refusal(tree=tree)
    edit(tree / "paper" / "desk.toml", "starting_capital_usd", '"100000"')
    assert read(tree=tree).limits.daily_loss_max == money.parse("100.01")
    edit(tree / "paper" / "risk.toml", "heat_max_percent", '"1.01"')
    assert "heat_max_percent" in refusal(tree=tree)


def test_a_symbol_may_be_held_to_smaller_sizes_than_the_venue_has(tree: Path) -> None:
    sizes = '{ BTCUSDT = { order_qty_max = "0.5", order_notional_max_usd = "20000", position_qty_max = "1" } }'
    edit(tree / "paper" / "risk.toml", "symbols", sizes)
    listed = Instrument("BTCUSDT", tick=1, lot=1, min_qty=1, max_qty=money.parse("90"))
    other = msgspec.structs.replace(listed, symbol="ETHUSDT")
    held, free = to_core(read(tree=tree), (listed, other), ()).instruments
    assert (held.max_qty, held.max_notional, held.max_position_qty) == (
        money.parse("0.5"),
        money.parse("20000"),
        money.parse("1"),
    )
    assert (free.max_qty, free.max_notional, free.max_position_qty) == (money.parse("90"), 0, 0)
    given = {"NIGHTDESK_RISK_SYMBOLS": '{"BTCUSDT": {"order_qty_max": "100"}}'}
    assert to_core(read(variables=given), (listed,), ()).instruments[0].max_qty == money.parse("90"), "only tighter"


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ('{ BTCUSD = { order_qty_max = "1" } }', "did you mean BTCUSDT?"),
        ('{ BTCUSDT = { order_qty = "1" } }', "unknown key"),
        ('{ BTCUSDT = { order_qty_max = "0" } }', "must be above zero"),
        ('"x"', "must be like"),
    ],
)
def test_wrong_sizes_of_a_symbol_are_refused(tree: Path, sizes: str, words: str) -> None:
    edit(tree / "paper" / "risk.toml", "symbols", sizes)
    assert words in refusal(tree=tree)


def test_a_tighter_limit_is_taken(tree: Path) -> None:
    edit(tree / "paper" / "risk.toml", "daily_loss_max_usd", '"49.99"')
    edit(tree / "paper" / "risk.toml", "reward_risk_min", '"1.5"')
    limits = read(tree=tree).limits
    assert (limits.daily_loss_max, limits.reward_risk_min) == (money.parse("49.99"), money.parse("1.5"))


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-inf", '"NaN"', '"inf"', '"-1"', "-1", "0", '"0"', '""', '"1e1"', "[]"]
)
@pytest.mark.parametrize("key", ["daily_loss_max_usd", "heat_max_percent", "positions_max", "price_age_max"])
def test_no_limit_is_nan_infinite_negative_zero_or_empty(tree: Path, key: str, value: str) -> None:
    """FC-02."""
    edit(tree / "paper" / "risk.toml", key, value)
    assert re.search(rf"risk\.toml: {key}", refusal(tree=tree))


@given(st.text(max_size=30))
def test_any_text_is_either_a_safe_limit_or_a_problem_never_anything_else(text: str) -> None:
    try:
        config = read(variables={"NIGHTDESK_RISK_DAILY_LOSS_MAX_USD": text})
    except ConfigRefused:
        return
    assert 0 < config.limits.daily_loss_max <= HARD.daily_loss_max


def test_a_float_is_refused_with_the_cure(tree: Path) -> None:
    edit(tree / "paper" / "risk.toml", "daily_loss_max_usd", "49.99")
    assert 'daily_loss_max_usd = 49.99: must be exact: write it in quotes, like "49.99"' in refusal(tree=tree)


@pytest.mark.parametrize("value", ["nan", "inf", '"nan"'])
def test_what_is_no_number_is_not_cured_by_quotes(tree: Path, value: str) -> None:
    edit(tree / "paper" / "risk.toml", "daily_loss_max_usd", value)
    text = refusal(tree=tree)
    assert "must be a plain decimal" in text and "quotes" not in text


def test_a_fraction_written_as_a_percentage_is_noticed(tree: Path) -> None:
    """FC-03."""
    edit(tree / "paper" / "risk.toml", "heat_max_percent", '"0.01"')
    assert "written in percent and implausibly small" in refusal(tree=tree)


def test_a_file_of_the_other_environment_is_refused_in_this_tree(tree: Path) -> None:
    for name in ("risk.toml", "strategies/default.json"):
        shutil.copy(tree / "live" / name, tree / "paper" / name)
    text = refusal(tree=tree)
    assert 'risk.toml: env = "live": must be "paper"' in text
    assert 'default.json: env = "live": must be "paper"' in text


def test_a_file_without_its_environment_is_refused(tree: Path) -> None:
    path = tree / "paper" / "validation.toml"
    path.write_text("")
    assert f"{path}: env: is required" in refusal(tree=tree)


def test_the_tree_of_the_other_environment_is_refused_unread(tree: Path) -> None:
    """FO-10."""
    assert "is the live tree; the environment is paper" in refusal(tree=tree / "live")


def test_a_folder_of_the_same_shape_serves_whatever_it_is_called(tree: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(tree / "paper", tmp_path / "mine"))
    assert read(tree=mine).content_hash == read(tree=tree).content_hash == read(tree=tree / "paper").content_hash


KEY = "ab" * 32


@pytest.mark.parametrize("at", ["127.0.0.1:8787", "localhost:0", "[::1]:8787"])
def test_signed_commands_are_taken_where_an_address_and_a_key_say_so(at: str) -> None:
    config = read(variables={"NIGHTDESK_CONTROL_HTTP": at, "NIGHTDESK_CONTROL_KEY": KEY})
    assert config.api is not None
    assert (config.api.host, config.api.port) == parse_listening(at)
    assert (config.api.key.reveal(), config.api.certificate, config.api.poll_url) == (KEY, "", "")
    assert KEY not in repr(config) + json.dumps(config.snapshot())


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"HTTP": "127.0.0.1:8787"}, "needs NIGHTDESK_CONTROL_KEY"),
        ({"HTTP": "127.0.0.1:8787", "KEY": "short"}, "has 5 letters, 32 at least"),
        ({"POLL_URL": "https://example.com/kill"}, "needs NIGHTDESK_CONTROL_KEY"),
        ({"HTTP": "127.0.0.1", "KEY": KEY}, "an address and a port"),
        ({"HTTP": "http://127.0.0.1:1", "KEY": KEY}, "an address and a port"),
        ({"HTTP": "127.0.0.1:99999", "KEY": KEY}, "an address and a port"),
        ({"HTTP": "0.0.0.0:8787", "KEY": KEY}, "needs tls_certificate and tls_key beyond this machine"),
        ({"HTTP": "127.0.0.1:1", "KEY": KEY, "TLS_CERTIFICATE": "/nowhere.pem"}, "tls_certificate"),
        ({"POLL_URL": "http://example.com/kill", "KEY": KEY}, "must be encrypted"),
    ],
)
def test_an_endpoint_that_protects_nothing_is_refused(variables: dict[str, str], why: str) -> None:
    given = {f"NIGHTDESK_CONTROL_{name}": value for name, value in variables.items()}
    text = refusal(variables=given)
    assert (why in text and "control.toml" in text) or "NIGHTDESK_CONTROL_" in text
    assert KEY not in text


def test_a_secret_is_found_where_secrets_toml_says(tree: Path, tmp_path: Path) -> None:
    key = tmp_path / "control.key"
    key.write_text(KEY)
    key.chmod(0o600)
    named = f'env = "paper"\n[NIGHTDESK_CONTROL_KEY]\nfrom = "file:{key}"\nrotated = 2026-11-01\n'
    (tree / "paper" / "secrets.toml").write_text(named)
    config = read(tree=tree, variables={"NIGHTDESK_CONTROL_HTTP": "127.0.0.1:8787"}, now_ns=1_795_244_902 * SECOND)
    assert config.api is not None and config.api.key.reveal() == KEY
    assert [(one.days, one.is_due) for one in config.rotations] == [(20, False)]
    assert KEY not in repr(config) + json.dumps(config.snapshot())


@pytest.mark.parametrize(("rotated", "refused"), [("2026-08-23", False), ("2026-08-22", True)])
def test_live_refuses_a_secret_of_more_than_90_days_and_paper_does_not(tree: Path, rotated: str, refused: bool) -> None:
    for env in ("paper", "live"):
        text = f'env = "{env}"\n[NIGHTDESK_CONTROL_KEY]\nfrom = "environment"\nrotated = {rotated}\n'
        (tree / env / "secrets.toml").write_text(text)
    at_ns = 1_795_244_902 * SECOND  # 2026-11-21
    assert read(tree=tree, now_ns=at_ns).rotations[0].is_due
    if refused:
        assert "91 days old" in refusal(env="live", tree=tree, now_ns=at_ns)
    else:
        read("live", tree=tree, now_ns=at_ns)


def test_a_missing_folder_or_file_is_named(tree: Path, tmp_path: Path) -> None:
    assert "no configuration here" in refusal(tree=tmp_path / "nothing")
    (tree / "paper" / "risk.toml").unlink()
    (tree / "paper" / "strategies" / "default.json").unlink()
    text = refusal(tree=tree)
    assert "risk.toml: is missing" in text and "default.json: is missing" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"env = ", "not valid TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"#" * 1_000_001, "larger than"),
        (b"a=1\na=2", "TOML"),
    ],
)
def test_a_damaged_file_is_a_problem_and_no_traceback(tree: Path, content: bytes, words: str) -> None:
    """FS-16."""
    (tree / "paper" / "risk.toml").write_bytes(content)
    assert words in refusal(tree=tree)


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, "null", '{"env": "paper", "strategies": []}'])
def test_a_damaged_strategies_file_is_a_problem_and_no_traceback(tree: Path, content: str) -> None:
    (tree / "paper" / "strategies" / "default.json").write_text(content)
    assert "default.json" in refusal(tree=tree)


def test_parameters_a_strategy_does_not_know_are_refused_before_anything_starts(tree: Path) -> None:
    path = tree / "paper" / "strategies" / "default.json"
    raw = json.loads(path.read_text())
    raw["strategies"][0]["params"] = {"fst": 5}
    path.write_text(json.dumps(raw))
    assert "trend: strategy 'trend': fst: unknown" in refusal(tree=tree)


def test_problems_inside_a_strategy_are_named_by_their_place(tree: Path) -> None:
    path = tree / "paper" / "strategies" / "default.json"
    raw = json.loads(path.read_text())
    raw["strategies"][0]["params"] = {"stop": 0.5}
    raw["strategies"][1]["parms"] = {}
    path.write_text(json.dumps(raw))
    text = refusal(tree=tree)
    assert 'strategies.0.params: stop must be exact: write it in quotes, like "0.5"' in text
    assert "strategies.1.parms: unknown key; did you mean params?" in text


@pytest.mark.parametrize(
    "how",
    [
        {"variables": {"NIGHTDESK_DRY_RUN": "False"}},
        {"overrides": {"desk.dry_run": Override("--dry-run", False)}},
        {"variables": {"NIGHTDESK_LIVE_TRADING_ENABLED": "TRUE"}},
    ],
)
def test_live_orders_can_be_switched_on_in_live_alone_where_the_live_gate_asks_for_more(how: dict[str, Any]) -> None:
    assert re.search("must be (true|false) in paper", refusal(env="paper", **how))
    read("live", **how)


def test_paper_has_no_way_to_a_real_venues_orders(tree: Path) -> None:
    """FC-05."""
    edit(tree / "paper" / "venues" / "bitunix.toml", "private_url", '"wss://fapi.bitunix.com/private/"')
    wanted = {"desk.venue": Override("--venue", "bitunix")}
    assert "private_url" in refusal(tree=tree, overrides=wanted)
    wanted["desk.broker"] = Override("--broker", "venue")
    assert '--broker: broker = "venue": must be paper where the venue is not on this machine' in refusal(
        overrides=wanted
    )


def test_an_address_beyond_this_machine_must_be_encrypted(tree: Path) -> None:
    edit(tree / "paper" / "venues" / "sim.toml", "rest_url", '"http://10.0.0.1:80"')
    assert "must be encrypted" in refusal(tree=tree)
    edit(tree / "paper" / "venues" / "sim.toml", "rest_url", '"http://127.0.0.1:8800"')
    assert read(tree=tree).venue.rest_url == "http://127.0.0.1:8800"


def test_an_unknown_symbol_is_refused_naming_the_nearest_unless_a_data_file_decides() -> None:
    wanted = {"desk.symbols": Override("--symbols", "BTCUSD,ETHUSDT")}
    assert "--symbols: symbols" in (text := refusal(overrides=wanted)) and "did you mean BTCUSDT?" in text
    assert "there are BTCUSDT, ETHUSDT, " in text and "with --data those of the files" in text
    assert read(overrides=wanted, any_symbol=True).desk.symbols == ("BTCUSD", "ETHUSDT")


def test_an_unknown_venue_is_refused_naming_the_nearest() -> None:
    text = refusal(overrides={"desk.venue": Override("--venue", "bitunx")})
    assert "unknown venue; did you mean bitunix?; this tree has bitunix, sim" in text


def test_a_venue_is_a_name_and_never_a_path() -> None:
    """FS-16."""
    assert "unknown venue" in refusal(overrides={"desk.venue": Override("--venue", "../../live/venues/sim")})


def test_an_unknown_variable_is_refused_naming_the_nearest() -> None:
    """FC-01, FC-09."""
    text = refusal(variables={"NIGHTDESK_RISK_HEAT_MAX_PERCNT": "0.5", "PATH": "/bin"})
    assert "NIGHTDESK_RISK_HEAT_MAX_PERCNT: unknown variable; did you mean NIGHTDESK_RISK_HEAT_MAX_PERCENT?" in text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HEET", "RISK_HEAT_MAX_PERCENT"),
        ("MAX_POSITIONS", "RISK_POSITIONS_MAX"),
        ("RISK_HEET_MAX", "RISK_HEAT_MAX_PERCENT"),
        ("STRATGY", "STRATEGY"),
        ("KILLSWITCH", "KILL_SWITCH"),
    ],
)
def test_a_misspelt_variable_is_met_by_its_words(written: str, meant: str) -> None:
    assert f"unknown variable; did you mean NIGHTDESK_{meant}?" in refusal(variables={f"NIGHTDESK_{written}": "1"})


def test_a_variable_like_no_other_gets_no_hint() -> None:
    assert "did you mean" not in refusal(variables={"NIGHTDESK_XYZZY": "1"})


def test_a_strategy_is_chosen_by_id_or_by_class() -> None:
    by_id = read(overrides={"desk.strategy": Override("--strategy", "trend")})
    assert [entry.id for entry in by_id.strategies] == ["trend"]
    kind = "engine.strategies.trend:Trend"
    by_class = read(overrides={"desk.strategy": Override("--strategy", kind)})
    assert [(entry.id, entry.kind) for entry in by_class.strategies] == [("trend", kind)]
    unknown = refusal(overrides={"desk.strategy": Override("--strategy", "trnd")})
    known = "default, trend, reversion, reversion-seconds"
    assert f"no such strategy; did you mean trend?; there are {known}, and your own as module:Class" in unknown
    assert "cannot import" in refusal(overrides={"desk.strategy": Override("--strategy", "my.module:Breakout")})
    assert "no such strategy; there are" in refusal(overrides={"desk.strategy": Override("--strategy", "qqq!")})
    assert "module:Class" in refusal(overrides={"desk.strategy": Override("--strategy", "no way:Now!")})


@pytest.mark.parametrize("bar", ["60s", "1m", "30s", "1s"])
def test_a_bar_is_a_minute_or_a_part_of_one(bar: str) -> None:
    chosen = read(overrides={"desk.bar": Override("x", bar)}).desk.bar
    assert MINUTE % chosen == 0


@pytest.mark.parametrize("bar", ["7s", "2m", "500ms", "0s"])
def test_a_bar_that_does_not_divide_a_minute_is_refused(bar: str) -> None:
    assert "bar" in refusal(overrides={"desk.bar": Override("x", bar)})


def test_a_strategy_on_shorter_bars_than_the_desks_is_refused_with_both_spans() -> None:
    text = refusal(overrides={"desk.strategy": Override("--strategy", "reversion-seconds")})
    assert "bar" in text
    assert "must divide the bars strategy reversion-seconds works on, 1s" in text


def test_what_a_value_holds_cannot_write_to_the_terminal() -> None:
    shown = str(Problem("a.toml", "key", "\x1b]0;owned\x07\x1b[2Jred\nline", "is wrong"))
    assert shown == 'a.toml: key = "red line": is wrong'


# --- secrets ---


def test_a_secret_in_a_file_is_refused_without_repeating_it(tree: Path) -> None:
    edit(tree / "live" / "venues" / "bitunix.toml", "api_secret", '"hunter2"')
    text = refusal(env="live", tree=tree)
    assert "a secret never belongs in a file" in text and "hunter2" not in text


def test_keys_are_read_for_live_alone_and_never_shown() -> None:
    variables = {"NIGHTDESK_BITUNIX_KEY": "canary-key", "NIGHTDESK_BITUNIX_SECRET": "canary-secret"}
    live = read("live", variables=variables)
    assert live.keys is not None and live.keys.secret.reveal() == "canary-secret"
    assert "canary" not in f"{live!r} {live.keys} {live.snapshot()}"
    assert live.content_hash == read("live").content_hash
    assert read("paper", variables=variables, overrides={"desk.venue": Override("--venue", "bitunix")}).keys is None


def test_a_secret_file_others_can_read_is_refused_with_the_command_to_run(tmp_path: Path) -> None:
    """FC-06."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("NIGHTDESK_BITUNIX_SECRET=canary\n")
    dotenv.chmod(0o644)
    assert f"chmod 600 {dotenv}" in (text := refusal(dotenv=dotenv)) and "canary" not in text
    dotenv.chmod(0o600)
    assert read(dotenv=dotenv).env == "paper"


def test_a_secret_does_not_print_format_or_pickle() -> None:
    secret = Secret("canary")
    assert f"{secret} {secret!r} {secret:>5} {[secret]}" == "*** ***   *** [***]"
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(secret)


# --- what comes out ---


def test_nothing_of_a_configuration_can_be_assigned() -> None:
    config = read()
    with pytest.raises(ValidationError):
        config.risk.heat_max_percent = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        config.env = "live"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        config.limits.heat_max = 1  # type: ignore[misc]


def test_the_hash_follows_the_values_and_nothing_else(tree: Path) -> None:
    plain = read().content_hash
    same = read(tree=tree, variables={"NIGHTDESK_RISK_HEAT_MAX_PERCENT": "1.000"})
    assert same.content_hash == plain
    assert read(variables={"NIGHTDESK_RISK_HEAT_MAX_PERCENT": "0.9"}).content_hash != plain


def test_the_snapshot_is_plain_json_with_values_origins_and_hash() -> None:
    snapshot = json.loads(json.dumps(read().snapshot()))
    assert snapshot["values"]["risk"]["heat_max_percent"] == "1"
    assert snapshot["values"]["desk"]["duration"] == "unlimited"
    assert snapshot["config_hash"] == read().content_hash
    assert snapshot["origins"]["desk.venue"].endswith("desk.toml")


def test_the_core_is_given_what_the_files_say() -> None:
    config = read(
        variables={
            "NIGHTDESK_SEED": "99",
            "NIGHTDESK_ON_KILL": "keep",
            "NIGHTDESK_BREAKER_ACTION": "cooldown",
            "NIGHTDESK_RISK_RISK_PER_TRADE_USD": "1.5",
            "NIGHTDESK_PAPER_LATENCY_MAX": "1s",
            "NIGHTDESK_PAPER_QUEUE": "proportional",
            "NIGHTDESK_SIM_MAKER_FEE_PERCENT": "-0.01",
        }
    )
    btc = Instrument("BTCUSDT", tick=1, lot=1, min_qty=1, max_qty=10, maker_fee=5, taker_fee=6)
    trend = StrategySpec("trend", "trend", {}, ("BTCUSDT",))
    core = to_core(config, [btc], [trend])
    assert (core.env, core.seed, core.paper, core.kill_closes, core.breaker_action) == (
        "paper",
        99,
        True,
        False,
        "cooldown",
    )
    priced = msgspec.structs.replace(btc, maker_fee=-10_000, taker_fee=100_000, maintenance=500_000)
    assert core.instruments[0] == priced and core.shadows
    assert core.limits == Limits() and core.sizing.risk_per_trade == money.parse("1.5")
    assert core.model.latency_ns_max == SECOND and core.strategies == (trend,)
    assert (core.model.participation_max, core.model.displayed_max) == (20_000_000, 20_000_000)
    assert (core.model.slow_share, core.model.queue) == (1_000_000, QueueRule.PROPORTIONAL)
    assert core.config_hash == config.content_hash and core.starting_equity == money.parse("10000")


def test_fees_the_venue_gives_go_before_those_of_its_file() -> None:
    given = Instrument("BTCUSDT", tick=1, lot=1, min_qty=1, max_qty=10, maker_fee=5, taker_fee=6, fee_source="venue")
    (instrument,) = to_core(read(), [given], []).instruments
    assert (instrument.maker_fee, instrument.taker_fee, instrument.fee_source) == (5, 6, "venue")


@pytest.mark.parametrize("missing", ["nothing", "maker_fee_percent", "taker_fee_percent"])
def test_fees_are_assumed_until_both_are_given(tree: Path, missing: str) -> None:
    """FA-13."""
    assumed = Instrument("BTCUSDT", tick=1, lot=1, min_qty=1, max_qty=10, fee_source=ASSUMED)
    file = tree / "paper" / "venues" / "sim.toml"
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith(missing)))
    (instrument,) = to_core(read(tree=tree), [assumed], []).instruments
    assert instrument.fee_source == ("config" if missing == "nothing" else ASSUMED)


def test_the_kill_variable_is_noticed_in_the_environment_and_in_dotenv(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("NIGHTDESK_KILL_SWITCH=yes\n")
    assert read(dotenv=dotenv).kill_variable
    assert read(variables={"NIGHTDESK_KILL_SWITCH": "TRUE"}).kill_variable
    assert not read(variables={"NIGHTDESK_KILL_SWITCH": "no"}).kill_variable


def test_reading_changes_no_file() -> None:
    def stamps() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in sorted(SHIPPED.rglob("*")) if path.is_file()}

    before = stamps()
    read("live")
    read("paper")
    assert stamps() == before and os.environ.get("NIGHTDESK_SEED") is None


def test_a_file_that_cannot_be_read_is_one_problem_not_two(tree: Path) -> None:
    (tree / "paper" / "desk.toml").write_text("env = paper\n")
    text = refusal(tree=tree)
    assert "is not valid TOML" in text
    assert "is required" not in text


def test_a_symbol_in_small_letters_is_recognised() -> None:
    text = refusal(overrides={"desk.symbols": Override("--symbols", "btcusdt")})
    assert "did you mean BTCUSDT?" in text


@pytest.mark.parametrize(("bar", "share"), [("60s", 1), ("15s", 2), ("1s", 60**0.5)])
def test_a_shorter_bar_is_volatile_from_a_smaller_range(bar: str, share: float) -> None:
    config = read(overrides={"desk.bar": Override("x", bar)})
    minute = config.regime.phase_volatile_percent
    assert to_core(config, [], []).phases.volatile_min == int(minute / share)


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ('{ daily_loss = "shutdown", heat = "halt_day" }', {"daily_loss": "shutdown", "heat": "halt_day"}),
        ('"slippage=shutdown, error_rate=halt_day"', {"slippage": "shutdown", "error_rate": "halt_day"}),
        ("{}", {}),
    ],
)
def test_single_breakers_may_do_more(tree: Path, written: str, taken: dict[str, str]) -> None:
    edit(tree / "paper" / "risk.toml", "breaker_actions", written)
    assert read(tree=tree).risk.breaker_actions == taken


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ('{ daily_loss = "cooldown" }', "daily_loss does halt_day anyway; its own action may only be stricter"),
        ('{ errors = "halt_day" }', "errors does shutdown anyway; its own action may only be stricter"),
        ('{ slippage = "cooldown" }', "slippage does halt_day anyway; its own action may only be stricter"),
        ('{ heat = "watch" }', "the action of heat must be one of cooldown, halt_day, shutdown"),
        ('{ phase_unknown = "shutdown" }', "phase_unknown is not one of consecutive_losses, "),
        ('{ dayly_loss = "shutdown" }', "dayly_loss is not one of consecutive_losses, "),
        ('"shutdown"', "must be a table of breakers and actions"),
        ("5", "must be a table of breakers and actions"),
    ],
)
def test_no_breaker_may_do_less_than_it_does_anyway(tree: Path, written: str, rule: str) -> None:
    edit(tree / "paper" / "risk.toml", "breaker_actions", written)
    text = refusal(tree=tree)
    assert "breaker_actions" in text
    assert rule in text


def test_an_endpoint_and_metrics_can_be_turned_off_for_one_start(tree: Path) -> None:
    path = tree / "paper" / "control.toml"
    path.write_text('env = "paper"\nhttp = "127.0.0.1:8787"\nmetrics = "127.0.0.1:9464"\n')
    off = {"NIGHTDESK_CONTROL_HTTP": "off", "NIGHTDESK_CONTROL_METRICS": "off"}
    config = read(tree=tree, variables=off)
    assert (config.api, config.control.metrics) == (None, "")
