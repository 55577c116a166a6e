"""Errors of a blob store as one line, for the operator."""

import re

_REQUEST = "Error performing "
_DEBUG = "\n\nDebug source:"
_CODE = re.compile(r"<Code>([^<]+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]+)</Message>")
_SYSTEM = re.compile(r'message: "([^"]+)"')
_ANSWER = re.compile(r"(: )?<\?xml.*", re.DOTALL)
_WITH_SLASH = re.compile(r"\S*/\S*")
_HOST = re.compile(r"https?://[^/?\s]+")

_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")
"""Codes of 404 responses for a missing bucket, of S3 and GCS and of Azure."""


def reason(error: Exception) -> str:
    """Format an error of obstore or the system, with the object store's own code and message.

    Names of blobs are omitted because they identify users, and the rest of the response because it
    may repeat the request's signature.
    """
    summary, _, details = str(error).partition(_DEBUG)
    parts = [_ANSWER.sub("", summary[max(summary.find(_REQUEST), 0) :])]
    answered = [found[1] for found in (_CODE.search(summary), _MESSAGE.search(summary)) if found]
    system = _SYSTEM.search(details)
    parts += answered or ([system[1]] if system else [])
    return " ".join(_WITH_SLASH.sub(_host, ": ".join(parts)).split())


def _host(place: re.Match[str]) -> str:
    host = _HOST.match(place[0])
    return host[0] if host else "..."


def is_missing_bucket(error: FileNotFoundError) -> bool:
    """Whether the bucket is missing, not the blob."""
    code = _CODE.search(str(error))
    return code is not None and code[1] in _NO_BUCKET
