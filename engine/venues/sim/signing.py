"""Checks the signature of a call. Written apart from the client's signer, so that one mistake cannot agree with itself.

`sign = sha256hex(sha256hex(nonce + timestamp + key + query + body) + secret)`, where `query` is the parameters sorted
by name and glued without separators, and `body` the exact bytes that were sent.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256


def signature(secret: str, key: str, nonce: str, timestamp: str, query: Iterable[tuple[str, str]], body: bytes) -> str:
    """The signature a call must carry, lower-case hex. `query` holds decoded (name, value) pairs in any order."""
    glued = "".join(name + value for name, value in sorted(query))
    digest = sha256(_bytes(nonce + timestamp + key + glued) + body).hexdigest()
    return sha256((digest + secret).encode()).hexdigest()


def matches(claimed: str, expected: str) -> bool:
    """Whether two signatures are equal, in constant time."""
    return hmac.compare_digest(_bytes(claimed), _bytes(expected))


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")  # headers may hold any bytes, and arrive as text
