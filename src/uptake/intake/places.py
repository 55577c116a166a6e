"""Where a user's bytes are in the blob store."""

import hashlib

IMAGES, REJECTED = "images", "rejected"
"""What is there: pictures, and rejected items too large for a row."""

_OWNER_DIGITS = 40
"""Digits of a user's hash in a name. Earlier versions took 32, of a plain hash."""


def blob_name(kind: str, project: str, user_hash: str, sha256: str) -> str:
    """The name of some bytes of a user: nothing of one is shared with another."""
    return blobs_of(kind, project, user_hash) + sha256


def blobs_of(kind: str, project: str, user_hash: str) -> str:
    """How the names of all bytes of a user begin, in one of 256 folders."""
    owner = user_hash[:_OWNER_DIGITS]
    return f"{kind}/{project}/{owner[:2]}/{owner}-"


def earlier_blobs_of(kind: str, project: str, user_id: str) -> str:
    """How those names began in earlier versions."""
    owner = hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{kind}/{project}/{owner[:2]}/{owner}-"
