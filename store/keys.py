"""The desk's key: an Ed25519 pair in `keys/` beside the database, made with the desk. It signs heads of the journal.

`desk.pem` is the private half (0600), `desk.pub.pem` the public one, to be kept elsewhere too. Where the private half
is gone a new pair is made and the old public half kept as `desk-<its first digits>.pub.pem`: what it signed can still
be checked.
"""

from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from engine.session.files import replace_file
from store.errors import StoreError

PRIVATE: Final = "desk.pem"
PUBLIC: Final = "desk.pub.pem"
_DIGITS: Final = 8


class BadKey(StoreError):
    """A key file cannot be used."""

    def __init__(self, path: Path, why: object) -> None:
        super().__init__(f"{path} cannot be used as a key: {why}")


class DeskKey:
    """The pair of one desk. `public` is the public half, hex."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        """The signature of `message`, hex."""
        return self._private.sign(message).hex()


def keys_folder(database: Path) -> Path:
    return database.with_name("keys")


def desk_key(folder: Path) -> DeskKey:
    """The key in `folder`, made where there is none.

    Raises:
        BadKey: there is something else in its place.
        OSError: it cannot be read or written.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / PRIVATE
    if path.exists():
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        private = _load_private(path)
    else:
        _keep_old_public(folder)
        private = Ed25519PrivateKey.generate()
        replace_file(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if not (folder / PUBLIC).exists() or (folder / PUBLIC).read_bytes() != public:
        replace_file(folder / PUBLIC, public)
    return DeskKey(private)


def kept_key(folder: Path) -> DeskKey | None:
    """The key in `folder` as it is, None where there is none; nothing is written. Raises BadKey."""
    path = folder / PRIVATE
    return DeskKey(_load_private(path)) if path.exists() else None


def public_keys(folder: Path) -> list[str]:
    """The public halves kept in `folder`, hex, the one in use first. Raises BadKey."""
    return [read_public(path) for path in sorted(folder.glob("*.pub.pem"), key=lambda path: path.name != PUBLIC)]


def read_public(path: Path) -> str:
    """The public key in a PEM file, hex. Raises BadKey."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(path, error) from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(path, "it is no Ed25519 key")
    return key.public_bytes_raw().hex()


def is_signed(message: bytes, signature: str, key: str) -> bool:
    """True if `signature` (hex) of `message` was made by the private half of `key` (hex)."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _load_private(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise BadKey(path, error.strerror) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(path, f"{error}; move it away, and the next start makes a new one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(path, "it is no Ed25519 key; move it away, and the next start makes a new one")
    return key


def _keep_old_public(folder: Path) -> None:
    old = folder / PUBLIC
    if old.exists():
        old.rename(folder / f"desk-{read_public(old)[:_DIGITS]}.pub.pem")
