"""What the documents state about limits and rules is what the code does."""

from pathlib import Path

from engine.core import money
from engine.core.limits import COUNTS, FLOORS, HARD
from engine.core.risk import RULES
from engine.core.safety import LIFTS

ROOT = Path(__file__).parents[1]
CONTROLS = (ROOT / "docs" / "safety-controls.md").read_text()


def limit_text(field: str) -> str:
    value = getattr(HARD, field)
    if field in COUNTS:
        return str(value)
    if field.endswith("_ns_max"):
        return f"{value // 1_000_000_000} s"
    return money.text(value)


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
    for field in HARD.__struct_fields__:
        side = "at least" if field in FLOORS else "at most"
        assert f"| `{field}` | {side} {limit_text(field)} |" in CONTROLS


def test_every_block_is_documented_with_what_lifts_it() -> None:
    for reason, lifts in LIFTS.items():
        assert f"| `{reason.value}` | {lifts} |" in CONTROLS


def test_the_documents_linked_from_the_readme_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    for part in readme.split("](")[1:]:
        target = part.split(")")[0]
        if "://" not in target:
            assert (ROOT / target).exists(), target
