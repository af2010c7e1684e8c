"""Signed commands: what is obeyed, and why everything else is not."""

import hmac
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.session.api.attempts import BURST_SECONDS, FAILED_MAX, Attempts
from engine.session.api.signing import (
    BODY_BYTES_MAX,
    REASON_LETTERS_MAX,
    WINDOW_SECONDS,
    BadKey,
    Denied,
    Nonces,
    SignedCommand,
    Verifier,
    decode,
    sign,
)
from engine.session.secret import Secret

KEY = Secret("0123456789abcdef" * 4)
AT_NS = 1_795_244_902_000_000_000
SECOND_NS = 1_000_000_000


@pytest.fixture
def nonces(tmp_path: Path) -> Nonces:
    return Nonces(tmp_path / "nonces", AT_NS, 60)


@pytest.fixture
def verifier(nonces: Nonces) -> Verifier:
    return Verifier(KEY, "paper", nonces)


def denied(verifier: Verifier, command: SignedCommand, now_ns: int = AT_NS) -> tuple[str, bool]:
    with pytest.raises(Denied) as refusal:
        verifier.check(command, now_ns)
    return refusal.value.code, refusal.value.forged


def test_a_command_survives_the_wire_and_is_obeyed(verifier: Verifier) -> None:
    command = sign(KEY, "kill", "paper", "the feed is wrong – ‘really’", AT_NS)
    again = decode(msgspec.json.encode(command))
    assert again == command
    verifier.check(again, AT_NS)


def test_the_signature_is_what_the_documentation_says() -> None:
    command = sign(KEY, "pause", "live", "news", AT_NS)
    told = f"nightdesk-command-1\nlive\npause\n1795244902\n{command.nonce}\nnews"
    assert command.signature == hmac.new(KEY.reveal().encode(), told.encode(), sha256).hexdigest()


@given(st.sampled_from(["act", "desk", "at", "nonce", "reason", "signature"]), st.integers(1, 9))
def test_no_field_can_be_changed(field: str, by: int) -> None:
    """FS-01."""
    command = sign(KEY, "pause", "paper", "news", AT_NS)
    value = getattr(command, field)
    other = value + by if isinstance(value, int) else f"{value[:-1]}{by}" if value[-1] != str(by) else f"{value}x"
    forged = msgspec.structs.replace(command, **{field: other})
    expected = Verifier(KEY, "paper", {})  # type: ignore[arg-type]  # nothing was seen yet
    assert denied(expected, forged) == ("not_authenticated", True)


def test_another_key_another_desk_and_another_act_are_refused(verifier: Verifier) -> None:
    """FS-01, FS-21."""
    other = Secret("f" * 64)
    assert denied(verifier, sign(other, "kill", "paper", "", AT_NS)) == ("not_authenticated", True)
    assert denied(verifier, sign(KEY, "kill", "live", "", AT_NS)) == ("wrong_desk", False)
    for act in ("resume", "rearm", "reset_breaker", "stop", "", "KILL"):
        assert denied(verifier, sign(KEY, act, "paper", "", AT_NS)) == ("not_allowed", False)


@pytest.mark.parametrize("apart", [-WINDOW_SECONDS, WINDOW_SECONDS])
def test_a_command_holds_for_half_a_minute_either_way(verifier: Verifier, apart: int) -> None:
    """FS-02."""
    verifier.check(sign(KEY, "kill", "paper", "", AT_NS + apart * SECOND_NS), AT_NS)
    further = apart + (1 if apart > 0 else -1)
    late = sign(KEY, "kill", "paper", "", AT_NS + further * SECOND_NS)
    assert denied(verifier, late) == ("not_fresh", False)


def test_the_key_before_its_rotation_is_refused_and_the_new_one_obeyed(tmp_path: Path, nonces: Nonces) -> None:
    """FS-20: from the start that brings the new key on, also commands that were signed before it."""
    old, new = KEY, Secret("fedcba9876543210" * 4)
    signed_before = sign(old, "kill", "paper", "", AT_NS)
    rotated = Verifier(new, "paper", nonces)
    assert denied(rotated, signed_before) == ("not_authenticated", True)
    assert denied(rotated, sign(old, "kill", "paper", "", AT_NS + SECOND_NS)) == ("not_authenticated", True)
    rotated.check(sign(new, "kill", "paper", "", AT_NS), AT_NS)


def test_a_command_is_obeyed_once_also_over_a_restart(tmp_path: Path, verifier: Verifier, nonces: Nonces) -> None:
    """FS-02."""
    command = sign(KEY, "kill", "paper", "", AT_NS)
    verifier.check(command, AT_NS)
    nonces.add(command.nonce, AT_NS)
    assert denied(verifier, command) == ("repeated", False)
    nonces.close()
    again = Nonces(tmp_path / "nonces", AT_NS + 59 * SECOND_NS, 60)
    assert denied(Verifier(KEY, "paper", again), command) == ("repeated", False)
    again.close()
    assert command.nonce not in Nonces(tmp_path / "nonces", AT_NS + 60 * SECOND_NS, 60)  # and by then it is not fresh
    assert (tmp_path / "nonces").stat().st_mode & 0o777 == 0o600


def test_a_damaged_file_of_nonces_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "nonces").write_bytes(b"\xff\xfe\nabc\nabc x\n" + f"good {AT_NS}\nto".encode())
    nonces = Nonces(tmp_path / "nonces", AT_NS, 60)
    assert "good" in nonces and "abc" not in nonces


@pytest.mark.parametrize(
    "body",
    [b"", b"kill", b"{}", b"[]", b"\xff", b'{"act":"kill"}', b"[" * 1000, b'{"act":1,"desk":"","at":1,"nonce":""}'],
)
def test_what_is_no_command_is_refused_without_a_trace(body: bytes) -> None:
    with pytest.raises(Denied) as refusal:
        decode(body)
    assert (refusal.value.code, refusal.value.forged) == ("malformed", True)


def test_what_is_too_large_is_not_even_read() -> None:
    with pytest.raises(Denied, match="1024 bytes") as refusal:
        decode(b" " * (BODY_BYTES_MAX + 1))
    assert refusal.value.code == "too_large"


def test_the_longest_reason_still_fits() -> None:
    command = sign(KEY, "flatten", "paper", "x" * 10_000, AT_NS)
    assert len(command.reason) == REASON_LETTERS_MAX
    assert decode(msgspec.json.encode(command)) == command
    decode(msgspec.json.encode(sign(KEY, "flatten", "paper", "€" * 10_000, AT_NS)))


def test_a_short_key_protects_nothing(nonces: Nonces) -> None:
    with pytest.raises(BadKey, match="nightdesk remote key"):
        Verifier(Secret("a" * 31), "paper", nonces)


def test_failed_attempts_are_told_once_a_burst_and_counted() -> None:
    attempts = Attempts()
    told = [attempts.failed(AT_NS + n) for n in range(500)]
    assert (told[0], set(told[1:]), attempts.total) == (1, {None}, 500)
    assert attempts.failed(AT_NS + BURST_SECONDS * SECOND_NS) == 500


def test_too_many_are_too_many_for_a_minute() -> None:
    """FS-03."""
    attempts = Attempts()
    for _ in range(FAILED_MAX):
        attempts.failed(AT_NS)
    assert not attempts.too_many(AT_NS)
    attempts.failed(AT_NS)
    assert attempts.too_many(AT_NS + BURST_SECONDS * SECOND_NS - 1)
    assert not attempts.too_many(AT_NS + BURST_SECONDS * SECOND_NS)
