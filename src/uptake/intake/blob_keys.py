"""The keys of a user's bytes in the blob store."""

import hashlib

from uptake.model import ids

IMAGES, REJECTED = "images", "rejected"
"""Kinds of bytes: images, and rejected items that are too large for a row."""

_OWNER_DIGITS = 40
"""Digits of a user's hash in a key. Earlier versions took 32, of a plain hash."""


def new_blob_key(kind: str, project: str, user_hash: str, sha256: str) -> str:
    """A key of its own for some bytes of a user.

    Equal bytes have different keys: a deletion of bytes must not delete those that another request
    is storing at that moment.
    """
    return f"{key_prefix(kind, project, user_hash)}{sha256}-{ids.new_token()}"


def key_prefix(kind: str, project: str, user_hash: str) -> str:
    """The prefix of all keys of a user, in one of 256 folders."""
    owner = user_hash[:_OWNER_DIGITS]
    return f"{kind}/{project}/{owner[:2]}/{owner}-"


def earlier_key_prefix(kind: str, project: str, user_id: str) -> str:
    """The prefix that earlier versions used."""
    owner = hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{kind}/{project}/{owner[:2]}/{owner}-"
