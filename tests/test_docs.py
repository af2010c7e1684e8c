"""What the documents state about limits and rules is what the code does."""

from pathlib import Path
from typing import Any

from engine.core import money
from engine.core.breaker_table import BREAKERS, BreakerSpec, release_of
from engine.core.config import Limits
from engine.core.limits import FLOORS, TIERS
from engine.core.risk import RULES
from engine.core.safety import LIFTS
from engine.core.words import TERMINAL_STATE, BreakerAction, BreakerName, ReasonCode, TerminalState
from engine.session.settings import LIMIT_OF, RiskFile
from engine.venues.errors import TREATMENTS

ROOT = Path(__file__).parents[1]
CONTROLS = (ROOT / "docs" / "safety-controls.md").read_text()
RELIABILITY = (ROOT / "docs" / "reliability.md").read_text()


def test_every_rule_of_the_safety_layers_is_documented_in_its_order() -> None:
    assert rules_table() in CONTROLS, rules_table()


def rules_table() -> str:
    """The table of docs/safety-controls.md, as the code has it."""
    rows = ["| layer | rule | says | limit | unit | refuses with |", "|---|---|---|---|---|---|"]
    for rule in RULES:
        key = f"`{rule.key}`" if rule.key else ""
        codes = ", ".join(f"`{code.value}`" for code in rule.codes)
        rows.append(f"| {rule.layer} | `{rule.name}` | {rule.says} | {key} | {rule.unit.value} | {codes} |")
    return "\n".join(rows)


def test_every_hard_limit_is_documented_with_its_value() -> None:
    assert limits_table() in CONTROLS, limits_table()


def limits_table() -> str:
    """The hard limits by size of the account, in the keys and the words of `risk.toml`."""
    sizes = [f"account from {money.text(tier.account_from)}" for tier in TIERS]
    rows = [f"| key of `risk.toml` | {' | '.join(sizes)} |", "|---|" + "---|" * len(TIERS)]
    for key, field in LIMIT_OF.items():
        side = "at least" if field in FLOORS else "at most"
        rows.append(f"| `{key}` | " + " | ".join(f"{side} {written(key, tier.limits)}" for tier in TIERS) + " |")
    return "\n".join(rows)


def written(key: str, limits: Limits) -> object:
    fields: dict[str, Any] = {"env": "paper", key: getattr(limits, LIMIT_OF[key])}
    return RiskFile.model_construct(**fields).model_dump(mode="json")[key]


def test_every_way_a_signal_ends_is_documented() -> None:
    assert verdicts_table() in CONTROLS, verdicts_table()


def verdicts_table() -> str:
    """The reasons of each terminal state."""
    rows = ["| state | reasons |", "|---|---|"]
    for state in TerminalState:
        codes = ", ".join(f"`{code.value}`" for code in ReasonCode if TERMINAL_STATE[code] is state)
        rows.append(f"| `{state.value}` | {codes} |")
    return "\n".join(rows)


def test_every_block_is_documented_with_what_lifts_it() -> None:
    for reason, lifts in LIFTS.items():
        assert CONTROLS.count(f"| `{reason.value}` | {lifts} |") == 1


def breaker_rows() -> list[str]:
    """The table of breakers as the document has it."""
    key_of = {limit: key for key, limit in LIMIT_OF.items()}
    shipped = RiskFile(env="paper").model_dump(mode="json")
    rows = []
    for spec in BREAKERS:
        limits = " or ".join(f"`{key_of[field]}` {shipped[key_of[field]]}" for field in spec.limits) or "all symbols"
        rows.append(f"| `{spec.name}` | {spec.counts} | {limits} | {_does(spec)} | {_released(spec)} |")
    return rows


def _does(spec: BreakerSpec) -> str:
    if spec.general and spec.least is not BreakerAction.SHUTDOWN:
        least = "" if spec.least is BreakerAction.COOLDOWN else f", at least `{spec.least}`"
        return f"`breaker_action`{least}"
    return f"`{spec.least}`"


def _released(spec: BreakerSpec) -> str:
    if spec.lasting:
        return "an operator"
    return "itself" if spec.least is BreakerAction.BLOCK else "as its action says"


def test_every_breaker_is_documented_as_the_table_has_it() -> None:
    assert "\n".join(breaker_rows()) in CONTROLS


def test_every_action_is_documented_with_what_releases_it() -> None:
    for action in (BreakerAction.COOLDOWN, BreakerAction.HALT_DAY, BreakerAction.SHUTDOWN):
        released = release_of(BreakerName.CONSECUTIVE_LOSSES, action, auto_reset=False)
        assert any(line.startswith(f"| `{action}`") and released in line for line in CONTROLS.splitlines()), action


def test_the_documents_linked_from_the_readme_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    for part in readme.split("](")[1:]:
        target = part.split(")")[0]
        if "://" not in target:
            assert (ROOT / target).exists(), target


def test_every_class_of_a_venues_errors_is_documented_with_what_the_desk_does() -> None:
    assert errors_table() in RELIABILITY, errors_table()


def errors_table() -> str:
    """The table of docs/reliability.md, as the code has it."""
    rows = ["| class | effect at the venue | read again | order refused with | the desk |", "|---|---|---|---|---|"]
    for row in TREATMENTS.values():
        effect = "none" if row.is_definite else "not known"
        code = f"`{row.reason_code.value}`" if row.reason_code else ""
        rows.append(f"| {row.name} | {effect} | {'yes' if row.is_retryable else 'no'} | {code} | {row.then} |")
    return "\n".join(rows)
