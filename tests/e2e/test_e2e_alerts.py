"""Alerts of real desks: what arrives of a run, of one that is killed or fails, and no secret in anything left."""

import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from store import blocks
from tests.e2e.conftest import StartDesk
from tests.e2e.shell import ROOT, ask, until
from tests.session.alerting.post import Web

pytestmark = pytest.mark.e2e

TOKEN = "Canary0123456789TokenTok"
KEY = "CanaryKey0123456789abcdefCanaryKey0123456789"
IN_FILE = "CanaryFile0123456789fileFile"
VENUE = "CanaryVenue0123456789venue"
CANARIES = (TOKEN, KEY, IN_FILE, VENUE)


def configured(folder: Path) -> Path:
    """A tree whose alerts go to an address in a file, and whose control key lies where secrets.toml says."""
    tree = folder / "paper"
    shutil.copytree(ROOT / "config" / "paper", tree)
    for name, text in (("address", f"json://127.0.0.1:1/{IN_FILE}"), ("key", KEY)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    with (tree / "alerts.toml").open("a") as alerts:
        alerts.write(f'\n[channels.filed]\nurl_file = "{folder / "address"}"\n')
    with (tree / "secrets.toml").open("a") as secrets:
        secrets.write(f'\n[NIGHTDESK_CONTROL_KEY]\nfrom = "file:{folder / "key"}"\nrotated = 2026-01-01\n')
    return tree


def everything_in(database: Path) -> Iterator[str]:
    """Every value of every row, what is packed unpacked."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield from (str(_unpacked(value)) for value in row)
    finally:
        connection.close()


def _unpacked(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    for unpack in (blocks.decode, zlib.decompress):
        try:
            return unpack(value)
        except Exception:  # it is packed another way, or not at all
            continue
    return value


def test_alerts_of_every_run_arrive_and_no_secret_is_in_anything_a_desk_leaves(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, start: StartDesk
) -> None:
    """FS-04, FS-10: of addresses, keys and files; of a desk that is killed, and of one whose core fails."""
    tree = configured(tmp_path_factory.mktemp("tree"))
    with Web() as web:
        given = {
            "WEBHOOK_URL": f"{web.url}/{TOKEN}",
            "NIGHTDESK_ALERT_URLS": f"json://ann:{TOKEN}@127.0.0.1:1/{TOKEN}",
            "NIGHTDESK_ALERT_PING_URL": f"{web.url}/ping/{TOKEN}",
            "NIGHTDESK_ALERTS_PING_EVERY": "1s",
            "NIGHTDESK_ALERTS_HEADS_EVERY": "1h",
            "NIGHTDESK_CONTROL_HTTP": "127.0.0.1:0",
            "NIGHTDESK_BITUNIX_KEY": VENUE,
            "NIGHTDESK_BITUNIX_SECRET": VENUE,
        }
        desk_words = ("--config", str(tree), "--symbols", "BTCUSDT")

        def titles() -> list[str]:
            return [body["title"] for path, body, _ in web.wait(0) if "ping" not in path]

        desk = start(*desk_words, **given)
        until(lambda: any("run started" in title for title in titles()), lambda: desk.said, 60)
        until(lambda: any("ping" in path for path, _, _ in web.wait(0)), lambda: desk.said, 60)
        until(lambda: any("does not answer" in title for title in titles()), lambda: desk.said, 60)
        status = desk.until_status(lambda status: any("alerts do not reach" in text for text in status["warnings"]))
        said = [str(status), *(" ".join(one.cmdline()) for one in (psutil.Process(desk.process.pid), *desk.children()))]
        asked = (("status", "--check"), ("config", "show"), ("alert", "list"))
        answers = [ask(tmp_path, *words, *_tree(words, tree), **given) for words in asked]
        assert "alerts do not reach" in answers[0].out and answers[0].code == 0
        desk.process.kill()
        desk.process.wait()
        failing = start(*desk_words, "--strategy", "tests.e2e.eager:Blabbing", **given)
        assert failing.process.wait(90) == 1
        until(lambda: any("the core failed" in title for title in titles()), lambda: failing.said, 60)
        told = titles()
        delivered = [str(body) for path, body, _ in web.wait(0)]
    assert all(title.startswith("[PAPER] ") for title in told)
    for words in ("ended without saying goodbye", "run ended by an error", "signed head", "the core failed"):
        assert any(words in title for title in told), words
    assert "RuntimeError" in desk.home.system_log.read_text()
    listed = ask(tmp_path, "dead-letters", "list", "--json")
    assert any(letter["operation"] == "alert" for letter in listed.json)
    said += [desk.said, failing.said, *(answer.out + answer.err for answer in (*answers, listed))]
    said += [*delivered, *everything_in(desk.home.database)]
    for canary in CANARIES:
        assert not any(canary in text for text in said), canary
        for path in tmp_path.rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert canary.encode() not in path.read_bytes(), path


def _tree(words: tuple[str, ...], tree: Path) -> tuple[str, ...]:
    """The option for a tree, where a command has one."""
    return ("--config", str(tree)) if words[0] == "config" else ()


@pytest.mark.sim
def test_a_slow_and_a_frozen_desk_are_told_to_people(start: StartDesk) -> None:
    """FP-07, FT-11: the one ends in order, the other hard; what froze is told, and the next start tells it died."""
    with Web() as web:

        def told(words: str) -> bool:
            return any(words in body["title"] for _, body, _ in web.wait(0))

        slow = start("--strategy", "tests.e2e.eager:Late", "--symbols", "BTCUSDT", WEBHOOK_URL=web.url)
        assert slow.ended() == 1
        assert slow.report["reason"] == "watchdog"
        assert told("event loop late")
        frozen = start("--strategy", "tests.e2e.eager:Frozen", "--symbols", "BTCUSDT", WEBHOOK_URL=web.url)
        assert frozen.ended() == 1
        assert told("the desk froze and ended itself")
        again = start("--symbols", "BTCUSDT", "--duration", "2s", WEBHOOK_URL=web.url)
        assert again.ended() == 0
        assert told("ended without saying goodbye")
