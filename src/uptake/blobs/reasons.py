"""What went wrong in a blob store, in one line for the person who runs the server."""

import re

_REQUEST = "Error performing "
_DEBUG = "\n\nDebug source:"
_CODE = re.compile(r"<Code>([^<]+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]+)</Message>")
_SYSTEM = re.compile(r'message: "([^"]+)"')
_ANSWER = re.compile(r"(: )?<\?xml.*", re.DOTALL)
_WITH_SLASH = re.compile(r"\S*/\S*")
_HOST = re.compile(r"https?://[^/?\s]+")

_NO_PLACE = ("NoSuchBucket", "ContainerNotFound")
"""Codes of answers that are 404 because the whole bucket is missing: of S3 and GCS, of Azure."""


def reason(error: Exception) -> str:
    """What an error of obstore or the system says, with the object store's own code and message.

    Names of blobs are left out, which stand for users, and whatever else an object store answers,
    which may repeat the request's signature.
    """
    told, _, details = str(error).partition(_DEBUG)
    parts = [_ANSWER.sub("", told[max(told.find(_REQUEST), 0) :])]
    answered = [found[1] for found in (_CODE.search(told), _MESSAGE.search(told)) if found]
    system = _SYSTEM.search(details)
    parts += answered or ([system[1]] if system else [])
    return " ".join(_WITH_SLASH.sub(_host, ": ".join(parts)).split())


def _host(place: re.Match[str]) -> str:
    host = _HOST.match(place[0])
    return host[0] if host else "..."


def is_about_the_place(error: FileNotFoundError) -> bool:
    """Whether not a blob is missing but the bucket that should hold it."""
    code = _CODE.search(str(error))
    return code is not None and code[1] in _NO_PLACE
