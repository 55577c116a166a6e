"""Ids and secrets: how they are made and what they look like."""

import hashlib
import secrets
from uuid import UUID

from uptake.model import clock

KEY_PREFIX = "up_"
KEY_BYTES = 24
TOKEN_BYTES = 16


def time_ordered() -> str:
    """A new UUID of version 7 (RFC 9562): ordered by time, so that indexes grow at one end."""
    random = secrets.randbits(74)
    value = (clock.now() // 1000) << 80 | 0x7 << 76 | (random >> 62) << 64
    return str(UUID(int=value | 0b10 << 62 | random & (1 << 62) - 1))


def derived(*parts: str) -> str:
    """The UUID of version 8 (RFC 9562) that these parts always give, and no others."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    value = int.from_bytes(digest[:16])
    value = value & ~(0xF << 76) | 0x8 << 76
    return str(UUID(int=value & ~(0b11 << 62) | 0b10 << 62))


def new_key() -> str:
    """A new secret key, told to its owner once and kept only as its `key_digest`."""
    return KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)


def key_digest(key: str) -> str:
    """The form in which a key is kept: SHA-256, enough for 192 random bits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_token() -> str:
    """A new name that cannot be guessed, for an address that is open to whoever knows it."""
    return secrets.token_hex(TOKEN_BYTES)
