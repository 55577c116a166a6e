"""Ids, API keys and other secrets."""

import hashlib
import hmac
import os
import secrets
import threading
from random import Random
from uuid import UUID

import msgspec

from uptake.model import clock

KEY_PREFIX = "up_"
KEY_BYTES = 24
TOKEN_BYTES = 16


class _TimeOrdered:
    """Generates increasing numbers of 122 bits: 48 of milliseconds, 74 random.

    The numbers need not be secret, so the operating system seeds the generator once. A system call
    for each number releases the interpreter lock, which under load doubles a small request's time.
    """

    _last: int

    def __init__(self) -> None:
        self.reset()

    def next(self) -> int:
        with self._lock:
            number = clock.now() // 1000 << 74 | self._random.getrandbits(74)
            if number <= self._last:
                number = self._last + 1 + self._random.getrandbits(32)
            self._last = number
            return number

    def reset(self) -> None:
        """Seed the generator; also after a fork, so that parent and child differ."""
        self._random = Random(os.urandom(32))  # noqa: S311
        self._lock = threading.Lock()
        self._last = 0


_numbers = _TimeOrdered()
os.register_at_fork(after_in_child=_numbers.reset)


def time_ordered() -> str:
    """A new UUID of version 7 (RFC 9562), greater than those this process made before it."""
    number = _numbers.next()
    milliseconds, high, low = number >> 74, number >> 62 & 0xFFF, number & (1 << 62) - 1
    text = f"{milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def derived(*parts: str) -> str:
    """The UUID of version 8 (RFC 9562) that is derived from these parts."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    value = int.from_bytes(digest[:16])
    value = value & ~(0xF << 76) | 0x8 << 76
    return str(UUID(int=value & ~(0b11 << 62) | 0b10 << 62))


def user_hash(key: bytes, user_id: str) -> str:
    """A pseudonym of a user: hexadecimal HMAC-SHA256, with the key of the installation.

    A plain hash of a short id can be reversed by trying all ids. The input is the SHA-256 of the
    id, so that plain hashes of earlier versions could be converted.
    """
    digest = hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).digest()
    return hmac.digest(key, digest, "sha256").hex()


def new_key() -> str:
    """A new API key. It is shown once, and only its `key_digest` is stored."""
    return KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)


def key_digest(key: str) -> str:
    """The stored form of an API key: SHA-256, enough for 192 random bits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_token() -> str:
    """A new name that cannot be guessed, for a URL that needs no API key."""
    return secrets.token_hex(TOKEN_BYTES)


class Secrets(msgspec.Struct, frozen=True):
    """The secrets of an installation.

    Attributes:
        user_hash: the key of `user_hash`.
        signing: the Ed25519 private key that signs receipts of erasures.
    """

    user_hash: bytes
    signing: bytes

    @property
    def instance(self) -> str:
        """The public id of the installation, derived from a secret that never changes.

        A backup has the secrets, so a restored database has the id of the original.
        """
        return derived("instance", hmac.digest(self.user_hash, b"instance", "sha256").hex())

    def __repr__(self) -> str:
        return "Secrets()"
