"""What holds for every operation of every vendor: byte order marks, encodings, HEAD, OPTIONS."""

import gzip
import re
import zlib
from collections import defaultdict

import httpx2
import pytest

from uptake.formats.base import FORM, Format, Operation
from uptake.formats.registry import FORMATS
from uptake.formats.vectors import Vector, vectors_of
from uptake.store.base import Store
from uptake.testing.vectors import KEY_ID, SECRET, credential_of, path_of

from .tenant import new_tenant

BOM = b"\xef\xbb\xbf"
OPERATIONS = [(form, operation) for form in FORMATS for operation in form.operations]
METHODS: dict[str, set[str]] = defaultdict(lambda: {"OPTIONS"})
for _, one in OPERATIONS:
    METHODS[re.sub("{[^}]*}", "{}", one.path)] |= {one.method} | (
        {"HEAD"} if one.method == "GET" else set()
    )


def _vector(form: Format, operation: Operation) -> Vector:
    """The vector of the operation with the lowest status."""
    found = [vector for vector in vectors_of(form) if vector.operation == operation.name]
    return min(found, key=lambda vector: (vector.reply.status, not vector.example))


@pytest.mark.parametrize(
    ("form", "operation"), OPERATIONS, ids=[operation.name for _, operation in OPERATIONS]
)
def test_every_operation_keeps_the_rules_of_all_wires(
    client: httpx2.Client, store: Store, form: Format, operation: Operation
) -> None:
    """An encoded body, or one with a byte order mark, is answered as the plain one is."""
    vector = _vector(form, operation)
    tenant = new_tenant(client, store)
    for name, schema in vector.types.items():
        tenant.type(name, schema)
    scope = operation.scope or "user-data:write"
    secret, key_id = tenant.named_key(scope, user=vector.key.user)
    credential = credential_of(operation, vector)
    headers, query = credential.carry(secret) if credential else ({}, {})
    plain = vector.request.content.replace(KEY_ID, key_id.encode()).replace(SECRET, secret.encode())
    path = path_of(operation, vector)

    def send(method: str, content: bytes = b"", encoding: str = "") -> httpx2.Response:
        encoded = {"Content-Encoding": encoding} if encoding else {}
        return client.request(
            method,
            path,
            params=dict(vector.request.query) | query,
            headers=vector.request.all_headers | headers | encoded,
            content=content,
        )

    allowed = set(send("OPTIONS").headers["allow"].split(", "))
    assert allowed == METHODS[re.sub("{[^}]*}", "{}", operation.path)]
    if operation.method == "GET":
        head, found = send("HEAD"), send("GET")
        assert (head.status_code, head.content) == (found.status_code, b"")
        assert head.headers["content-length"] == found.headers["content-length"]
    if not operation.has_body:
        return
    bodies = [plain] if operation.request_media != FORM and not operation.is_json else []
    bodies = bodies or [plain, BOM + plain]
    for body in bodies:
        for encoding, encode in (("", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)):
            answer = send(operation.method, encode(body), encoding)
            assert answer.status_code == vector.reply.status, (encoding, body[:3], answer.text)
