"""Where a user's bytes lie in the blob store."""

from uptake.model import ids

IMAGES, REJECTED = "images", "rejected"
"""What is kept there: pictures, and refused items too large for a row."""

_OWNER_DIGITS = 32


def blob_name(kind: str, project: str, user_id: str, sha256: str) -> str:
    """The name of some bytes of a user: nothing of one is shared with another."""
    return blobs_of(kind, project, ids.user_hash(user_id)) + sha256


def blobs_of(kind: str, project: str, user_hash: str) -> str:
    """How the names of all bytes of a user begin, in one of 256 folders."""
    owner = user_hash[:_OWNER_DIGITS]
    return f"{kind}/{project}/{owner[:2]}/{owner}-"
