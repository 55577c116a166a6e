"""Ids and secrets: how they are made and what they look like."""

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
    """Gives numbers of 122 bits, each greater than the one before: 48 of milliseconds, 74 random.

    They need only differ, so the system is asked for randomness once: asking it for each would let
    go of the interpreter, which under load costs a small request half its time.
    """

    _last: int

    def __init__(self) -> None:
        self.begin_anew()

    def next(self) -> int:
        with self._lock:
            number = clock.now() // 1000 << 74 | self._random.getrandbits(74)
            if number <= self._last:
                number = self._last + 1 + self._random.getrandbits(32)
            self._last = number
            return number

    def begin_anew(self) -> None:
        """What a process that forked does too, so as not to go on with its parent's numbers."""
        self._random = Random(os.urandom(32))  # noqa: S311
        self._lock = threading.Lock()
        self._last = 0


_numbers = _TimeOrdered()
os.register_at_fork(after_in_child=_numbers.begin_anew)


def time_ordered() -> str:
    """A new UUID of version 7 (RFC 9562), greater than those this process made before it."""
    number = _numbers.next()
    milliseconds, high, low = number >> 74, number >> 62 & 0xFFF, number & (1 << 62) - 1
    text = f"{milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def derived(*parts: str) -> str:
    """The UUID of version 8 (RFC 9562) that these parts always give, and no others."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    value = int.from_bytes(digest[:16])
    value = value & ~(0xF << 76) | 0x8 << 76
    return str(UUID(int=value & ~(0b11 << 62) | 0b10 << 62))


def user_hash(key: bytes, user_id: str) -> str:
    """A user's name where its id must not be: hexadecimal HMAC-SHA256, keyed by the installation.

    A plain hash would not do: short ids are found in milliseconds by hashing all of them. What is
    hashed is the id's SHA-256, so that plain hashes of earlier versions could be converted.
    """
    digest = hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).digest()
    return hmac.digest(key, digest, "sha256").hex()


def new_key() -> str:
    """A new secret key, told to its owner once and kept only as its `key_digest`."""
    return KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)


def key_digest(key: str) -> str:
    """The form in which a key is kept: SHA-256, enough for 192 random bits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_token() -> str:
    """A new name that cannot be guessed, for an address that is open to whoever knows it."""
    return secrets.token_hex(TOKEN_BYTES)


class Secrets(msgspec.Struct, frozen=True):
    """The secrets of an installation; none of them leaves it.

    Attributes:
        user_hash: the key of `user_hash`.
        signing: the private key, Ed25519, that signs receipts of erasures.
    """

    user_hash: bytes
    signing: bytes

    def __repr__(self) -> str:
        return "Secrets()"
