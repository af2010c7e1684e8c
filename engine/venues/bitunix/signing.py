"""How a request or a private login proves who sends it.

`digest = sha256(nonce + timestamp + key + query + body)`, `sign = sha256(digest + secret)`, both as lower-case hex. The
query is glued without separators, sorted by key; the body is the exact bytes sent.
"""

import secrets  # noqa: TID251 - the venue's signature asks for a fresh nonce; it decides nothing
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

NONCE_LENGTH: Final = 32


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """An API key and its secret. Never printed: `repr` is masked."""

    api_key: str
    secret: str

    def __repr__(self) -> str:
        return "Credentials(api_key=***, secret=***)"


@dataclass(frozen=True, slots=True)
class Signature:
    """What one signed message carries."""

    nonce: str
    timestamp_ms: int
    sign: str


def new_nonce() -> str:
    """32 hexadecimal characters, never used before."""
    return secrets.token_hex(NONCE_LENGTH // 2)


def glued(params: Mapping[str, str]) -> str:
    """Query parameters as they are signed: sorted by key, no separators."""
    return "".join(f"{key}{params[key]}" for key in sorted(params))


def sign(credentials: Credentials, nonce: str, timestamp_ms: int, query: str = "", body: str = "") -> Signature:
    """Sign a message; `query` as from `glued`, `body` as sent. A login has neither."""
    digest = sha256(f"{nonce}{timestamp_ms}{credentials.api_key}{query}{body}".encode()).hexdigest()
    return Signature(nonce, timestamp_ms, sha256(f"{digest}{credentials.secret}".encode()).hexdigest())
