"""Access tokens: they serve as an API key for a day, and are signed instead of stored."""

import base64
import binascii
import hmac

from msgspec import Struct

from uptake.model.ids import Secrets
from uptake.store.definitions import Key
from uptake.time_units import MICROSECONDS_PER_SECOND

TOKEN_PREFIX = "upt_"  # noqa: S105 - no secret
"""How a token begins; a key begins with `ids.KEY_PREFIX`."""

LIFE_SECONDS = 24 * 3600
"""How long a token is valid, unless its key expires before (wire contract)."""

_DIGEST_BYTES = 32
_TIME_BYTES = 8
_SIGNATURE_BYTES = 16
_LENGTHS = _DIGEST_BYTES, _DIGEST_BYTES + _TIME_BYTES


class AccessToken(Struct, frozen=True):
    """The content of a token: the digest of its key, and the moment at which it expires."""

    digest: str
    expires_at: int


class AccessTokens:
    """Issues and reads tokens.

    Args:
        secrets: of the installation, from which the signing key is derived.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._key = hmac.digest(secrets.signing, b"access tokens", "sha256")

    def issue(self, key: Key, now: int) -> str:
        """A token for a key."""
        expires_at = now + LIFE_SECONDS * MICROSECONDS_PER_SECOND
        if key.expires_at is not None:
            expires_at = min(expires_at, key.expires_at)
        content = bytes.fromhex(key.digest) + expires_at.to_bytes(_TIME_BYTES)
        signed = content + self._signature(content)
        return TOKEN_PREFIX + base64.urlsafe_b64encode(signed).decode().rstrip("=")

    def read(self, token: str) -> AccessToken | None:
        """The content of a token, expired or not; None if it was not issued here."""
        text = token.removeprefix(TOKEN_PREFIX)
        try:
            signed = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (ValueError, binascii.Error):
            return None
        content, signature = signed[: _LENGTHS[1]], signed[_LENGTHS[1] :]
        if not hmac.compare_digest(signature, self._signature(content)):
            return None
        digest, expires_at = content[: _LENGTHS[0]], content[_LENGTHS[0] :]
        return AccessToken(digest.hex(), int.from_bytes(expires_at))

    def _signature(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")[:_SIGNATURE_BYTES]
