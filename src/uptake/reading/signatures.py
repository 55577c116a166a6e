"""Signatures with the installation's Ed25519 key (RFC 8032)."""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from msgspec import Struct

ALGORITHM = "Ed25519"
KEY_ID_DIGITS = 16


class NoPublicKey(ValueError):
    """The bytes are not an Ed25519 public key in PEM."""


class PublicKey(Struct, frozen=True):
    """The key that verifies the installation's signatures.

    Attributes:
        algorithm: `Ed25519`.
        key_id: the first 16 hexadecimal digits of the SHA-256 of the key.
        public_key: its 32 bytes, Base64.
        pem: the same in PEM, for OpenSSL.
    """

    algorithm: str
    key_id: str
    public_key: str
    pem: str


def sign(seed: bytes, message: bytes) -> str:
    """Return a signature in Base64."""
    return base64.b64encode(Ed25519PrivateKey.from_private_bytes(seed).sign(message)).decode()


def public_key(seed: bytes) -> PublicKey:
    """Return the public key of a private key."""
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(ALGORITHM, key_id(raw), base64.b64encode(raw).decode(), pem.decode())


def key_id(raw: bytes) -> str:
    """Return the id of a public key."""
    return hashlib.sha256(raw).hexdigest()[:KEY_ID_DIGITS]


def is_signed(pem: bytes, message: bytes, signature: str) -> bool:
    """Return whether a signature of a message is valid.

    Raises:
        NoPublicKey: `pem` is not a public key.
    """
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise NoPublicKey("not a public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise NoPublicKey(f"not an {ALGORITHM} key")
    try:
        key.verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, binascii.Error):
        return False
    return True
