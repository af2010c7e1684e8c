"""Where channels come from: the environment, .env, a file; what is wrong is told by its place, never by its text."""

from pathlib import Path
from typing import Any

import pytest

from engine.core.words import Severity
from engine.session.config import SHIPPED, Config, load
from engine.session.layers import ConfigRefused

TOKEN = "Canary0123456789TokenTok"
HOOK = f"jsons://example.org/{TOKEN}"
PAGER = f"pagerduty://{TOKEN}@ApiKey0123456789"


def tree(folder: Path, text: str) -> Path:
    """The shipped paper tree with this `alerts.toml`."""
    import shutil

    shutil.copytree(SHIPPED / "paper", folder / "paper")
    (folder / "paper" / "alerts.toml").write_text(f'env = "paper"\n{text}')
    return folder


def channels(config: Config) -> list[tuple[str, str, str]]:
    return [(channel.name, channel.service, channel.place) for channel in config.outside.channels]


def refused(tmp_path: Path, **given: Any) -> str:
    with pytest.raises(ConfigRefused) as problem:
        load("paper", **{"variables": {}, "dotenv": tmp_path / "none", **given})
    assert TOKEN not in str(problem.value)
    return str(problem.value)


def test_channels_are_named_after_their_services(tmp_path: Path) -> None:
    config = load("paper", variables={"NIGHTDESK_ALERT_URLS": f"{HOOK} {PAGER}\n{HOOK}2", "WEBHOOK_URL": HOOK})
    where = "environment NIGHTDESK_ALERT_URLS, number"
    assert channels(config) == [
        ("json", "json", f"{where} 1"),
        ("pager-duty", "pager-duty", f"{where} 2"),
        ("json-2", "json", f"{where} 3"),
        ("webhook", "json", "environment WEBHOOK_URL"),
    ]


def test_pagers_are_told_what_is_critical_and_the_others_everything() -> None:
    opsgenie = "opsgenie://8b799edf-6f98-4d3a-9be7-2862fb4e5752"
    config = load("paper", variables={"NIGHTDESK_ALERT_URLS": f"{HOOK} {PAGER} {opsgenie}"})
    everything = tuple(Severity)
    assert [channel.severities for channel in config.outside.channels] == [
        everything,
        (Severity.CRITICAL,),
        (Severity.CRITICAL,),
    ]


def test_a_file_of_addresses_must_be_private_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "urls"
    path.write_text(f"# ops\n\n{HOOK}\n")
    path.chmod(0o644)
    given = {"NIGHTDESK_ALERT_URLS_FILE": str(path)}
    assert "chmod 600" in refused(tmp_path, variables=given)
    path.chmod(0o600)
    assert channels(load("paper", variables=given)) == [("json", "json", f"{path}, line 3")]
    path.write_text("# nothing\n")
    assert "holds no address" in refused(tmp_path, variables=given)
    path.unlink()
    assert "cannot be read: No such file" in refused(tmp_path, variables=given)


def test_alerts_toml_names_variables_and_files_and_says_what_goes_there(tmp_path: Path) -> None:
    path = tmp_path / "pager"
    path.write_text(PAGER)
    path.chmod(0o600)
    text = f"""
    rate_per_minute = 7
    [channels.ops]
    url_variable = "OPS_URL"
    severities = ["warning", "critical"]
    [channels.night]
    url_file = "{path}"
    rate_per_minute = 3
    """
    config = load("paper", tree=tree(tmp_path, text), variables={"OPS_URL": HOOK})
    ops, night = config.outside.channels
    assert (ops.name, ops.place, ops.rate_per_minute) == ("ops", "environment OPS_URL", 7)
    assert ops.severities == (Severity.WARNING, Severity.CRITICAL)
    assert (night.name, night.rate_per_minute, night.severities) == ("night", 3, (Severity.CRITICAL,))
    assert "OPS_URL is not set" in refused(tmp_path, tree=tmp_path)


def test_an_address_may_lie_where_secrets_toml_says(tmp_path: Path) -> None:
    path = tmp_path / "hook"
    path.write_text(HOOK)
    path.chmod(0o600)
    where = tree(tmp_path, "")
    (where / "paper" / "secrets.toml").write_text(f'env = "paper"\n[WEBHOOK_URL]\nfrom = "file:{path}"\n')
    config = load("paper", tree=where, variables={}, dotenv=tmp_path / "none")
    assert [channel.name for channel in config.outside.channels] == ["webhook"]


def test_an_address_in_dotenv_needs_a_private_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"WEBHOOK_URL={HOOK}\n")
    dotenv.chmod(0o644)
    assert "others can read it" in refused(tmp_path, dotenv=dotenv)
    dotenv.chmod(0o600)
    assert channels(load("paper", variables={}, dotenv=dotenv)) == [("webhook", "json", f"{dotenv} WEBHOOK_URL")]


@pytest.mark.parametrize(
    "text",
    [
        f'channels = {{ ops = "{HOOK}" }}',
        f'[channels.ops]\nurl = "{HOOK}"',
        f'[channels.ops]\nurl_variable = "{HOOK}"',
        f'webhook = "{HOOK}"',
        f'[channels."{HOOK}"]\nurl_variable = "A"',
    ],
)
def test_an_address_written_into_alerts_toml_by_mistake_is_refused_and_not_quoted(text: str, tmp_path: Path) -> None:
    assert "alerts.toml" in refused(tmp_path, tree=tree(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('[channels.ops]\nseverities = ["critical"]', "url_variable or url_file"),
        ('[channels.ops]\nurl_variable = "A"\nurl_file = "b"', "not both"),
        ('[channels."Ops Team"]\nurl_variable = "A"', "small letters"),
        ('[channels.ops]\nurl_variable = "A"\nseverities = ["loud"]', "info, warning, critical"),
        ("rate_per_minute = 0", "above zero"),
        ('heads_every = "1"', "with its unit"),
        ('ping_style = "loud"', "plain"),
    ],
)
def test_what_cannot_be_is_refused_with_the_rule(text: str, rule: str, tmp_path: Path) -> None:
    assert rule in refused(tmp_path, tree=tree(tmp_path, text))


def test_no_address_is_in_values_snapshot_or_representation(tmp_path: Path) -> None:
    given = {"NIGHTDESK_ALERT_URLS": HOOK, "NIGHTDESK_ALERT_PING_URL": f"https://hc-ping.com/{TOKEN}"}
    config = load("paper", variables=given)
    assert TOKEN not in f"{config!r} {config.snapshot()} {config.outside!r} {config.outside.channels[0]!r}"
    assert config.content_hash == load("paper", variables={}).content_hash
    assert any(TOKEN in secret.reveal() for secret in config.outside.secrets)


def test_the_ping_address_is_of_the_web() -> None:
    with pytest.raises(ConfigRefused) as problem:
        load("paper", variables={"NIGHTDESK_ALERT_PING_URL": f"ftp://{TOKEN}"})
    assert "must be an http or https address" in str(problem.value)
    assert TOKEN not in str(problem.value)


def test_without_an_address_the_library_is_not_even_loaded() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from engine.session.config import load; import engine.session.session, console.assemble; "
        "load('paper', variables={}); assert not {'apprise', 'requests'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
