"""Signed commands to a desk on another machine."""

import os
from pathlib import Path

import msgspec

from console import say
from console.commands.status import show
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.core.events import Act
from engine.session.api.client import BadAddress
from engine.session.api.client import send as send_signed
from engine.session.api.signing import ACTS, BadKey, SignedCommand, checked_key, sign
from engine.session.clock import WallClock
from engine.session.dotenv import PREFIX
from engine.session.secret import Secret

KEY = f"{PREFIX}CONTROL_KEY"
URL = f"{PREFIX}CONTROL_URL"
KEY_BYTES = 32


def send(where: Where, act: str, url: str, reason: str, authority: Path | None) -> Exit:
    """Send one command and print what the desk says to it."""
    url = url or where.variables.get(URL, "")
    if not url:
        raise Quit(Exit.USAGE, f"--url URL: where is the desk's control endpoint? ({URL} says it, too)")
    try:
        answer = send_signed(url, _signed(where, act, reason), authority)
    except BadAddress as bad:
        raise Quit(Exit.USAGE, str(bad)) from bad
    if act == "status":
        return show(answer, where.json, check=True, rows=(("endpoint", url),))
    if where.json:
        say.as_json({"act": act, **answer})
    else:
        say.line(str(answer.get("text", "")))
    return Exit.DONE if answer.get("accepted") else Exit.ERROR


def sign_only(where: Where, act: str, reason: str) -> Exit:
    """Print a signed command."""
    if act not in ACTS or act == "status":
        raise Quit(Exit.USAGE, f"{act}: only {Act.KILL}, {Act.PAUSE} and {Act.FLATTEN} can be asked from outside")
    say.line(msgspec.json.encode(_signed(where, act, reason)).decode())
    return Exit.DONE


def fresh_key() -> Exit:
    """Print a key nobody has."""
    say.line(os.urandom(KEY_BYTES).hex())
    return Exit.DONE


def _signed(where: Where, act: str, reason: str) -> SignedCommand:
    key = Secret(where.variables.get(KEY, ""))
    if not key:
        raise Quit(Exit.USAGE, f"{KEY} is not set: it must be the desk's own; nightdesk remote key makes one")
    try:
        return sign(checked_key(key), act, where.home.env, reason, WallClock().now_ns())
    except BadKey as bad:
        raise Quit(Exit.USAGE, str(bad)) from bad
