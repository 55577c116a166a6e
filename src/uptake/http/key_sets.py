"""The keys of an issuer of tokens: a JSON Web Key Set (RFC 7517), at a URL or in a file."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2
import jwt
import msgspec

MAX_BYTES = 256 * 1024
"""Bytes of a key set. Those of large issuers have a few kilobytes."""

MAX_KEYS = 100
"""Keys that are used of a set."""

FETCH_SECONDS = 5.0
"""How long a key set may take. A request waits for it only if its signing key is not known."""

MIN_RSA_BITS = 2048
"""RFC 7518, 3.3."""

ALGORITHMS = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
"""The one algorithm of each kind of key: by `kty`, and `crv`."""

_NAMES = {"EdDSA": ("EdDSA", "Ed25519")}
"""Names in `alg`; Ed25519 has two (RFC 9864)."""

_PUBLIC = ("kty", "crv", "n", "e", "x", "y")


class UnreadableKeySet(Exception):
    """A key set cannot be read; the message is the reason."""


class SigningKey(msgspec.Struct, frozen=True):
    """A public key, and the one algorithm that it is used with.

    Attributes:
        key_id: `kid`; None without one.
        algorithm: `RS256`, `ES256` or `EdDSA`.
        key: the key itself.
    """

    key_id: str | None
    algorithm: str
    key: Any


def read_key_set(source: str) -> str:
    """The text of a key set at an `http`, `https` or `file` URL.

    Redirects are not followed.

    Raises:
        UnreadableKeySet: it cannot be read, or is not a key set.
    """
    try:
        if source.startswith("file:"):
            with Path(unquote(urlsplit(source).path)).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        else:
            content = _fetch(source)
        if len(content) > MAX_BYTES:
            raise UnreadableKeySet(f"it has more than {MAX_BYTES} bytes")
        text = content.decode()
    except OSError as error:
        raise UnreadableKeySet(error.strerror or str(error)) from error
    except httpx2.HTTPError as error:
        raise UnreadableKeySet(str(error) or type(error).__name__) from error
    except ValueError as error:
        raise UnreadableKeySet("it is not UTF-8") from error
    if not signing_keys(text):
        raise UnreadableKeySet("it has no public key for RS256, ES256 or EdDSA")
    return text


def _fetch(url: str) -> bytes:
    until, content = monotonic() + FETCH_SECONDS, b""
    # Compressed bytes could be many when they are decompressed.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    with httpx2.stream(
        "GET", url, headers=headers, timeout=FETCH_SECONDS, follow_redirects=False
    ) as response:
        if response.status_code != 200:
            raise UnreadableKeySet(f"the status is {response.status_code}")
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > MAX_BYTES:
                break
            if monotonic() > until:
                raise UnreadableKeySet(f"it takes more than {FETCH_SECONDS:g} seconds")
    return content


@lru_cache(256)
def signing_keys(text: str) -> tuple[SigningKey, ...]:
    """The keys of a set that sign tokens; others are left out."""
    try:
        listed = msgspec.json.decode(text)["keys"]
    except (msgspec.MsgspecError, RecursionError, TypeError, KeyError):
        return ()
    if not isinstance(listed, list):
        return ()
    found = map(_signing_key, listed[:MAX_KEYS])
    return tuple(key for key in found if key is not None)


def _signing_key(described: Any) -> SigningKey | None:
    algorithm = _algorithm(described) if isinstance(described, Mapping) else None
    if algorithm is None:
        return None
    public = {name: described[name] for name in _PUBLIC if name in described}
    try:
        key = jwt.PyJWK(public, algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError):
        return None
    if algorithm == "RS256" and key.key_size < MIN_RSA_BITS:
        return None
    return SigningKey(described.get("kid"), algorithm, key)


def _algorithm(described: Mapping[str, Any]) -> str | None:
    """The algorithm of a key that signs; None for another key."""
    kind, curve, key_id = (described.get(name) for name in ("kty", "crv", "kid"))
    if not (isinstance(kind, str) and _is_text(curve) and _is_text(key_id)):
        return None
    algorithm = ALGORITHMS.get((kind, curve))
    if algorithm is None or described.get("use", "sig") != "sig":
        return None
    is_named = described.get("alg", algorithm) in _NAMES.get(algorithm, (algorithm,))
    return algorithm if is_named else None


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)
