"""What services are sent: bodies as apprise makes them, to servers of this machine in place of the services' own.

The hosts of Slack, Discord, PagerDuty and Opsgenie are replaced; everything from the address to the body is real. That
the services take it is shown by none of these: `nightdesk alert test` shows it.
"""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from engine.core.words import AlertKind, Severity
from engine.session.alerting.notices import Sender, compose, message
from engine.session.alerting.services import NotDelivered, NotUnderstood, Service, secret_parts
from engine.session.scrub import Scrubber
from engine.session.secret import Secret
from tests.session.alerting.post import Mail, Web

TOKEN = "Canary0123456789TokenTok"
NOTICE = compose(
    AlertKind.KILL, "by ann: <enough> & *done*", 1_767_225_600_000_000_000, "run-1", Sender("PAPER", "d", "h")
)
TITLE, BODY, SEVERITY = message([NOTICE])


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


def sent(url: str) -> None:
    Service(Secret(url)).send(TITLE, BODY, SEVERITY)


@pytest.mark.parametrize(
    "url", [f"https://hooks.slack.com/services/T0123ABCD/B0123ABCD/{TOKEN}", f"slack://T0123ABCD/B0123ABCD/{TOKEN}"]
)
def test_slack_is_sent_one_attachment_with_title_text_and_colour(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.slack import NotifySlack

    with Web(answer="ok") as web:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{web.url}/services")
        sent(url)
        ((path, body, _),) = web.wait(1)
    assert path == f"/services/T0123ABCD/B0123ABCD/{TOKEN}"
    (attachment,) = body["attachments"]
    assert attachment["title"] == TITLE
    assert "by ann: &lt;enough&gt; &amp; *done*" in attachment["text"]
    assert attachment["color"].startswith("#")
    assert "image" not in str(body), "nothing is fetched from anywhere else"


@pytest.mark.parametrize(
    "url", [f"https://discord.com/api/webhooks/417421629832141629/{TOKEN}", f"discord://417421629832141629/{TOKEN}"]
)
def test_discord_is_sent_its_content(url: str, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.discord import NotifyDiscord

    monkeypatch.setattr(NotifyDiscord, "notify_url", f"{web.url}/api/webhooks")
    sent(url)
    ((path, body, _),) = web.wait(1)
    assert path.startswith(f"/api/webhooks/417421629832141629/{TOKEN}")
    assert body["content"].startswith(TITLE)
    assert "What happened: kill switch" in body["content"]


@pytest.mark.parametrize(("severity", "word"), [(Severity.CRITICAL, "critical"), (Severity.WARNING, "warning")])
def test_pagerduty_is_sent_a_trigger_event_of_its_events_api(
    severity: Severity, word: str, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apprise.plugins import pagerduty

    lookup: dict[Any, str] = dict.fromkeys(pagerduty.PAGERDUTY_API_LOOKUP, f"{web.url}/v2/enqueue")
    monkeypatch.setattr(pagerduty, "PAGERDUTY_API_LOOKUP", lookup)
    Service(Secret(f"pagerduty://{TOKEN}@ApiKey0123456789/nightdesk/core")).send(TITLE, BODY, severity)
    ((path, body, _),) = web.wait(1)
    assert (path, body["routing_key"], body["event_action"]) == ("/v2/enqueue", TOKEN, "trigger")
    assert (body["payload"]["severity"], body["payload"]["source"]) == (word, "nightdesk")
    assert body["payload"]["summary"].startswith(TITLE)


def test_opsgenie_is_sent_a_new_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins import opsgenie

    with Web(202, '{"result": "Request will be processed", "took": 0.1, "requestId": "r-1"}') as web:
        lookup: dict[Any, str] = dict.fromkeys(opsgenie.OPSGENIE_API_LOOKUP, f"{web.url}/v2/alerts")
        monkeypatch.setattr(opsgenie, "OPSGENIE_API_LOOKUP", lookup)
        sent("opsgenie://8b799edf-6f98-4d3a-9be7-2862fb4e5752")
        ((path, body, _),) = web.wait(1)
    assert path == "/v2/alerts"
    assert (body["message"], body["source"]) == (TITLE, "Nightdesk")
    assert "You: find out why" in body["description"]


@pytest.mark.parametrize("scheme", ["json", "http"])
def test_a_webhook_is_sent_title_message_and_type(scheme: str, web: Web) -> None:
    sent(f"{scheme}://127.0.0.1:{web.port}/hook/{TOKEN}")
    ((path, body, _),) = web.wait(1)
    assert path.rstrip("/") == f"/hook/{TOKEN}"
    assert (body["title"], body["message"], body["type"]) == (TITLE, BODY, "failure")


def test_a_mail_has_subject_and_text() -> None:
    with Mail() as mail:
        sent(
            f"mailto://user:{TOKEN}@127.0.0.1:{mail.port}?smtp=127.0.0.1&from=desk@example.org&to=ann@example.org&mode=insecure"
        )
        (text,) = mail.wait(1)
    assert "To: ann@example.org" in text
    assert "Subject: [PAPER] CRITICAL: kill switch (d on h)" in text
    assert TOKEN not in text


@pytest.mark.parametrize(
    ("status", "word"), [(401, "401"), (404, "404"), (429, "429"), (500, "500")], ids=["401", "404", "429", "500"]
)
def test_a_refusal_says_what_the_service_answered_and_not_the_address(status: int, word: str) -> None:
    with Web(status) as web, pytest.raises(NotDelivered) as refused:
        sent(web.hook(TOKEN))
    assert word in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_what_cannot_be_reached_is_told_without_the_address(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(NotDelivered) as lost:
        sent(f"json://127.0.0.1:1/{TOKEN}")
    assert "onnection" in str(lost.value)
    assert TOKEN not in str(lost.value) + caplog.text


@pytest.mark.parametrize("url", ["nonsense://x", "", "slack://", "jsons://", "no address at all", "ftp://a/b"])
def test_an_address_nobody_understands_is_refused_without_being_quoted(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(NotUnderstood) as refused:
        Service(Secret(url))
    assert "understands" in str(refused.value)
    assert not url or url not in str(refused.value) + caplog.text


@pytest.mark.parametrize(
    ("url", "secrets", "plain"),
    [
        (f"slack://{TOKEN}/B0123ABCD9/Z0123ABCD9#general", [TOKEN, "B0123ABCD9", "Z0123ABCD9"], ["general"]),
        (f"https://hooks.slack.com/services/T0123ABCD/{TOKEN}", [TOKEN], ["services", "hooks.slack.com"]),
        (f"mailtos://ann:{TOKEN}@smtp.example.org", [TOKEN], ["smtp.example.org"]),
        ("mailtos://ann:lowercase@smtp.example.org", ["lowercase"], []),
        (f"jsons://example.org/hook?key={TOKEN}", [TOKEN], ["example.org", "hook"]),
    ],
)
def test_every_piece_of_an_address_that_may_be_a_token_is_masked_everywhere(
    url: str, secrets: list[str], plain: list[str]
) -> None:
    scrubber = Scrubber(secret_parts(Secret(url)))
    for secret in (url, *secrets):
        assert secret not in scrubber.text(f"here: {secret} and more")
    for word in plain:
        assert word in scrubber.text(f"the {word} is no secret")
