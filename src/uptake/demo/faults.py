"""Requests that must be rejected: the test vectors of every format, and keys without access."""

import re
from urllib.parse import quote, urlencode

from uptake.demo.plan import Keys, Upload
from uptake.formats.base import Format, Operation
from uptake.formats.vectors import Vector, operation_of, vectors_of


def faulty_uploads(form: Format, operation: Operation, keys: Keys) -> list[Upload]:
    """Return the rejected vectors of an operation, and the first of them with other API keys."""
    vectors = [
        vector
        for vector in vectors_of(form)
        if operation_of(form, vector) is operation and vector.reply.status >= 400
    ]
    found = [
        _upload(operation, vector, keys.bound if vector.key.user else keys.sender)
        for vector in vectors
    ]
    return found + [_upload(operation, vectors[0], key) for key in ("no-such-key", keys.reader)]


def _upload(operation: Operation, vector: Vector, key: str) -> Upload:
    request, credential = vector.request, operation.credentials[0]
    path = re.sub("{([^}]+)}", lambda part: quote(request.path[part[1]], safe=""), operation.path)
    headers, query = credential.carry(key)
    if query:
        path += "?" + urlencode(query)
    return Upload(path, request.all_headers | headers, request.content, accepted=0)
