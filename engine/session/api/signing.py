"""Signed commands: one JSON object, told apart from a forged, an old and a repeated one.

    {"act": "kill", "reason": "…", "desk": "paper", "at": 1767225600, "nonce": "…", "signature": "…"}

The signature is HMAC-SHA256 (RFC 2104), under the desk's control key, of the other five joined by line feeds behind the
word `nightdesk-command-1`: desk, act, at, nonce, reason. A command holds for half a minute and once.
"""

import hmac
import os
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from engine.session.errors import SessionError
from engine.session.files import Appender, replace_file
from engine.session.secret import Secret

ACTS: Final = ("kill", "pause", "flatten", "status")
"""What a signed command may ask for. Nothing that lets the desk take more risk is among them."""

BODY_BYTES_MAX: Final = 1024
WINDOW_SECONDS: Final = 30
KEY_LETTERS_MIN: Final = 32
NONCE_LETTERS: Final = 32
REASON_LETTERS_MAX: Final = 200
_VERSION: Final = "nightdesk-command-1"
_SECOND_NS: Final = 1_000_000_000


class SignedCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sent. `at` in seconds since 1970, UTC."""

    act: str
    desk: str
    at: int
    nonce: str
    signature: str
    reason: str = ""


class BadKey(SessionError):
    """The control key cannot protect anything."""


class Denied(Exception):
    """A command that is not to be obeyed. `code` is for programs, the text for people.

    Attributes:
        forged: Whether it was not signed with the key; only then it counts as a failed attempt.
    """

    def __init__(self, code: str, text: str, *, forged: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.forged = forged


def checked_key(key: Secret) -> Secret:
    """The key, if it is long enough to be one. Raises `BadKey`."""
    if len(key.reveal()) < KEY_LETTERS_MIN:
        raise BadKey(
            f"the control key has {len(key.reveal())} letters, {KEY_LETTERS_MIN} at least are needed; "
            "make one with: nightdesk remote key"
        )
    return key


def sign(key: Secret, act: str, desk: str, reason: str, at_ns: int) -> SignedCommand:
    """A command that holds from now on, for half a minute."""
    at, nonce = at_ns // _SECOND_NS, os.urandom(NONCE_LETTERS // 2).hex()
    unsigned = SignedCommand(act, desk, at, nonce, "", reason[:REASON_LETTERS_MAX])
    return msgspec.structs.replace(unsigned, signature=_signature(key, unsigned))


def decode(body: bytes) -> SignedCommand:
    """Read a command. Raises `Denied` for what is none."""
    if len(body) > BODY_BYTES_MAX:
        raise Denied("too_large", f"a command has at most {BODY_BYTES_MAX} bytes", forged=True)
    try:
        return msgspec.json.decode(body, type=SignedCommand)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as broken:
        raise Denied("malformed", "not a signed command", forged=True) from broken


class Nonces:
    """The nonces of commands that were obeyed, kept in a file so that a restart forgets none.

    Used by one process only. `keep_seconds` is how long a command can still hold.
    """

    def __init__(self, path: Path, now_ns: int, keep_seconds: int) -> None:
        self._keep_ns = keep_seconds * _SECOND_NS
        self._seen: dict[str, int] = {}
        if path.exists():
            for line in path.read_text(errors="replace").splitlines():
                nonce, _, at = line.partition(" ")
                if at.isdecimal() and int(at) > now_ns - self._keep_ns:
                    self._seen[nonce] = int(at)
        replace_file(path, "".join(f"{nonce} {at}\n" for nonce, at in self._seen.items()).encode())
        self._file = Appender(path)

    def __contains__(self, nonce: str) -> bool:
        return nonce in self._seen

    def add(self, nonce: str, now_ns: int) -> None:
        """Remember `nonce`. Raises OSError when it cannot be made durable; in memory it is remembered all the same."""
        self._seen = {old: at for old, at in self._seen.items() if at > now_ns - self._keep_ns}
        self._seen[nonce] = now_ns
        self._file.write(f"{nonce} {now_ns}\n".encode())
        self._file.sync()

    def close(self) -> None:
        self._file.close()


class Verifier:
    """Tells a command to be obeyed from all others. `window_seconds` is how old it may be."""

    def __init__(self, key: Secret, desk: str, nonces: Nonces, window_seconds: int = WINDOW_SECONDS) -> None:
        self._key = checked_key(key)
        self._desk = desk
        self._nonces = nonces
        self._window_seconds = window_seconds

    def check(self, command: SignedCommand, now_ns: int) -> None:
        """Raises `Denied` unless the command is signed, for this desk, fresh, new and allowed."""
        expected = _signature(self._key, command)
        if not hmac.compare_digest(expected.encode(), command.signature.encode(errors="replace")):
            text = "not signed with this desk's control key, or changed on its way: nothing was done"
            raise Denied("not_authenticated", text, forged=True)
        if command.desk != self._desk:
            raise Denied("wrong_desk", f"the command is for the {command.desk[:20]} desk, this is {self._desk}")
        apart = command.at - now_ns // _SECOND_NS
        if abs(apart) > self._window_seconds:
            raise Denied(
                "not_fresh",
                f"the command is {abs(apart)} s {'ahead' if apart > 0 else 'old'}: sign it again, or set "
                "the clock of the machine that signs",
            )
        if command.nonce in self._nonces:
            raise Denied("repeated", "this very command was obeyed already")
        if command.act not in ACTS:
            raise Denied("not_allowed", f"only {', '.join(ACTS)} can be asked from outside")
        if len(command.nonce) != NONCE_LETTERS or not command.nonce.isalnum():
            raise Denied("malformed", f"a nonce has {NONCE_LETTERS} letters and digits")


def _signature(key: Secret, command: SignedCommand) -> str:
    told = (_VERSION, command.desk, command.act, str(command.at), command.nonce, command.reason)
    return hmac.new(key.reveal().encode(), "\n".join(told).encode(errors="replace"), sha256).hexdigest()
