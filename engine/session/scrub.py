"""Secrets never reach an output: masked by their value in every usual spelling, and by the name they go under.

A `Scrubber` knows the run's secrets. `text` is for whatever is written as words, `value` for whatever is written as
JSON. Masking by name works without knowing any secret, and errs on the side of masking.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

import msgspec

from engine.core.clean import clean
from engine.session.secret import MASK, Secret

SECRET_LENGTH_MIN: Final = 8
"""Shorter values are masked by name only: masking every "1234" would falsify figures and protect nothing."""

TEXT_LENGTH_MAX: Final = 2_000
DEPTH_MAX: Final = 8
ITEMS_MAX: Final = 1_000
_RAW_LENGTH_MAX: Final = 65_536  # bounds the work on a huge text; what lies beyond is never shown

_WORDS: Final = (
    r"secret|passw(?:or)?d|passphrase|pwd|token|credential|signature|authori[sz]ation|cookie|webhook"
    r"|(?:api|access|private|signing|auth)[-_ ]?key|_key\b"
)
_NAME: Final = re.compile(rf"{_WORDS}|^(?:sign|auth|bearer|pin)$", re.IGNORECASE)
_HINTS: Final = (
    *("secret", "passw", "passphrase", "pwd", "token", "credential", "signature", "authori", "cookie", "webhook"),
    *("key", "bearer", "basic"),
)
"""A text in lower case without any of these, and without the words sign and pin, has nothing to mask by name."""
_SHORT_NAME: Final = re.compile(r"\bsign\b|\bpin\b")
_ASSIGNED: Final = re.compile(
    rf"(?<![\w-])(?P<open>['\"]?)(?P<name>[\w-]*(?:{_WORDS})[\w-]*|sign|pin)(?P=open)"
    r"(?P<is>\s*[=:]\s*)"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|(?:(?:bearer|basic|token)\s+)?[^\s,;&})\]\"']+)",
    re.IGNORECASE,
)
_USER_IN_URL: Final = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE)
_BEARER: Final = re.compile(r"\b(bearer\s+)[\w.~+/=-]{8,}|\b(basic\s+)[A-Za-z0-9+/]{16,}={0,2}", re.IGNORECASE)
_HOOK: Final = re.compile(r"(hooks\.slack\.com/services/|/api/webhooks/|/bot(?=\d+:))[^\s\"'?#]+", re.IGNORECASE)


class Scrubber:
    """Masks the secrets it was given, and whatever goes under a secret's name. Immutable; safe in any thread."""

    def __init__(self, secrets: Iterable[str | Secret] = ()) -> None:
        spellings = {spelling for secret in secrets for spelling in _spellings(_revealed(secret))}
        ordered = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str, length_max: int = TEXT_LENGTH_MAX) -> str:
        """`text` without secrets, on one printable line of at most `length_max` characters."""
        # Before cleaning, because a secret may hold what cleaning removes; and after, because cleaning joins pieces.
        hidden = self.hide(text[:_RAW_LENGTH_MAX])
        shown = clean(hidden, length_max)
        return shown if shown == hidden else self.hide(shown)

    def finds(self, text: str) -> bool:
        """Whether a secret stands in `text`, in any usual spelling."""
        return self._known is not None and self._known.search(text) is not None

    def value(self, value: object) -> Any:
        """`value` as plain JSON values without secrets; whatever is no JSON value is written as text."""
        return self._value(value, DEPTH_MAX)

    def hide(self, text: str) -> str:
        """`text` with every secret masked and nothing else changed: for text that is cleaned elsewhere."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if "://" in text or "ooks" in text:
            text = _HOOK.sub(rf"\1{MASK}", _USER_IN_URL.sub(rf"\1{MASK}@", text))
        if not _may_name_a_secret(text.lower()):
            return text  # the usual case, at a tenth of the price
        text = _ASSIGNED.sub(_masked_assignment, text)
        return _BEARER.sub(lambda found: f"{found[1] or found[2]}{MASK}", text)

    def _value(self, value: object, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return MASK if self._known is not None and self._known.fullmatch(str(value)) else int(value)
        if isinstance(value, float):
            return value if value - value == 0 else str(value)  # NaN and infinity are no JSON
        if isinstance(value, str):
            return self.text(value)
        if depth == 0:
            return "…"
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, msgspec.Struct):
            return self._mapping(msgspec.structs.asdict(value), depth)
        if isinstance(value, list | tuple | set | frozenset):
            items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
            return [self._value(item, depth - 1) for item in items[:ITEMS_MAX]]
        return self.text(as_text(value))

    def _mapping(self, mapping: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for key, value in list(mapping.items())[:ITEMS_MAX]:
            name = key if isinstance(key, str) else as_text(key)
            empty = value is None or isinstance(value, bool) or value in ("", MASK)
            shown[self.text(name)] = MASK if _NAME.search(name) and not empty else self._value(value, depth - 1)
        return shown


NOTHING_KNOWN: Final = Scrubber()


def scrub_secrets(value: object, scrubber: Scrubber = NOTHING_KNOWN) -> Any:
    """`value` (text, or anything that goes into JSON) as it may be written anywhere: without secrets, printable."""
    return scrubber.value(value)


def _revealed(secret: str | Secret) -> str:
    return secret.reveal() if isinstance(secret, Secret) else secret


def _may_name_a_secret(lowered: str) -> bool:
    if any(hint in lowered for hint in _HINTS):
        return True
    return ("sign" in lowered or "pin" in lowered) and _SHORT_NAME.search(lowered) is not None


def _masked_assignment(found: re.Match[str]) -> str:
    value = found["value"]
    if value in (MASK, '""', "''", "None", "null"):
        return found[0]
    around = value[0] if value[0] in "\"'" else ""
    return f"{found['open']}{found['name']}{found['open']}{found['is']}{around}{MASK}{around}"


def _spellings(secret: str) -> set[str]:
    """The secret as it might turn up in an output: plain, quoted, escaped, in hex, in base64 of any alignment."""
    if len(secret) < SECRET_LENGTH_MIN:
        return set()
    parts = {secret, secret.strip(), *(line.strip() for line in secret.splitlines() if len(line) >= 16)}
    found: set[str] = set()
    for part in parts:
        raw = part.encode(errors="surrogateescape")
        spelled = {
            *_url_spellings(part),
            json.dumps(part)[1:-1],
            json.dumps(part, ensure_ascii=False)[1:-1],
            repr(part)[1:-1],
            repr(raw)[2:-1],
            raw.hex(),
            raw.hex().upper(),
            *_base64_spellings(raw),
        }
        found |= {part, clean(part, len(part) + 1), *spelled}
    return {spelling for spelling in found if len(spelling) >= SECRET_LENGTH_MIN}


def _url_spellings(text: str) -> set[str]:
    whole = {encode(text, safe=safe, errors="replace") for encode in (quote, quote_plus) for safe in ("", "/")}
    return whole | {re.sub(r"%..", lambda escape: escape[0].lower(), spelling) for spelling in whole}


def _base64_spellings(raw: bytes) -> set[str]:
    """Base64, wherever in a longer text `raw` stands ("key:secret" is encoded as one): only what it alone decides."""
    found = set()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(before) + raw).decode()
            end = (before + len(raw)) * 8 // 6  # whole characters; the one after them depends on what follows
            found.add(text[-(-before * 8 // 6) : end])
    return found


def as_text(value: object) -> str:
    """Any object in words; an exception with its class. Never raises."""
    try:
        return f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value)
    except Exception:
        return f"<{type(value).__name__} that cannot be shown>"
