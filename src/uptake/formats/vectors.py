"""Vectors: test cases of a format, each with a request, the expected submission and the answer.

A vector is a JSON file in the folder `vectors` of a format. In a request and in what is expected,
`{"<characters>": 128, "of": "x"}` is a long string and, within a list,
`{"<elements>": 1000, "of": ...}` is that many equal elements.

In the body of an answer, a string `<uuid>`, `<int>`, `<url>` or `<text>` matches a value of that
kind and can contain an example, as in `<int:1684155980>`. `<text>` may also match a part of a
string, there and in the message of a fault.
"""

import base64
import importlib.resources
import re
from importlib.resources.abc import Traversable
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from uptake.formats.base import JSON, Format, Operation

BOUNDARY = "vector-boundary"
CHARACTERS = "<characters>"
ELEMENTS = "<elements>"
PLACEHOLDER = re.compile("<(uuid|int|url|text)(?::([^>]*))?>")

_ILLUSTRATIONS = {
    "uuid": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
    "int": "1000011",
    "url": "https://uptake.example/",
    "text": "...",
}


class BadVector(ValueError):
    """A file is not a vector; the message names the file and the reason."""


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a multipart form; its content is `text` or `base64`."""

    name: str
    filename: str | None = None
    content_type: str | None = None
    text: str = ""
    base64: str = ""

    @property
    def content(self) -> bytes:
        """The part's bytes."""
        return self.text.encode() or base64.b64decode(self.base64)


class VectorRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A request.

    Attributes:
        path: values for the parts in braces of the operation's path.
        headers: without `Content-Type`, which by default follows from the body.
        query: parameters without the API key.
        body: a JSON body; or one of the following.
        text, base64: the body's bytes.
        multipart: the parts of a form.
    """

    path: dict[str, str] = {}
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    body: Any = UNSET
    text: str | None = None
    base64: str | None = None
    multipart: tuple[Part, ...] = ()

    @property
    def content(self) -> bytes:
        """The body's bytes."""
        if self.body is not UNSET:
            return msgspec.json.encode(expanded(self.body))
        if self.base64 is not None:
            return base64.b64decode(self.base64)
        if self.text is not None:
            return self.text.encode()
        return b"".join([*map(_written, self.multipart), f"--{BOUNDARY}--\r\n".encode()])

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers with `content-type`, names in lower case."""
        media_type = f"multipart/form-data; boundary={BOUNDARY}" if self.multipart else JSON
        given = {name.lower(): value for name, value in self.headers.items()}
        return {"content-type": media_type, **given}


class VectorKey(Struct, frozen=True, forbid_unknown_fields=True):
    """The API key: bound to `user`, in the header or parameter named `place`."""

    user: str | None = None
    place: str | None = None


class VectorReply(Struct, frozen=True, forbid_unknown_fields=True):
    """The expected answer."""

    status: int
    body: Any


class Vector(Struct, frozen=True, forbid_unknown_fields=True):
    """A test case.

    Attributes:
        description: one line for the reader.
        operation: name of the operation; `endpoint` in the file.
        request: the request.
        reply: the answer over HTTP.
        submission: what the request of an upload decodes to, in the form of
            `uptake.testing.vectors.canonical`.
        key: the API key that is used.
        before: names of vectors of the format; their requests are sent first, in order.
        types: document types of the project, with their JSON Schemas or null.
        example: whether the OpenAPI document shows it.
        name: name of the file.
    """

    description: str
    operation: str = msgspec.field(name="endpoint")
    request: VectorRequest
    reply: VectorReply
    submission: dict[str, Any] = {}
    key: VectorKey = VectorKey()
    before: tuple[str, ...] = ()
    types: dict[str, Any] = {}
    example: bool = False
    name: str = ""


_decoder = msgspec.json.Decoder(Vector)


def load(folder: Traversable) -> list[Vector]:
    """The vectors in a folder, in order of name.

    Raises:
        BadVector: a file is not a vector.
    """
    files = [file for file in folder.iterdir() if file.name.endswith(".json")]
    return [_read(file) for file in sorted(files, key=lambda file: file.name)]


def _read(file: Traversable) -> Vector:
    try:
        vector = _decoder.decode(file.read_bytes())
    except msgspec.DecodeError as error:
        raise BadVector(f"{file.name}: {error}") from error
    return msgspec.structs.replace(vector, name=file.name.removesuffix(".json"))


def vectors_of(form: Format) -> list[Vector]:
    """The vectors of a format."""
    return load(importlib.resources.files(form.package) / "vectors")


def operation_of(form: Format, vector: Vector) -> Operation:
    """The operation of a vector.

    Raises:
        BadVector: the format has no operation of that name.
    """
    for operation in form.operations:
        if operation.name == vector.operation:
            return operation
    raise BadVector(f"{vector.name}: {form.name} has no operation {vector.operation!r}")


def expanded(value: Any) -> Any:
    """A value with long strings and lists expanded."""
    if isinstance(value, list):
        return [element for part in value for element in _elements(part)]
    if not isinstance(value, dict):
        return value
    if CHARACTERS in value:
        return str(value["of"]) * int(value[CHARACTERS])
    return {name: expanded(member) for name, member in value.items()}


def illustrated(value: Any) -> Any:
    """The body of an answer with examples in place of placeholders."""
    if isinstance(value, list):
        return [illustrated(element) for element in value]
    if isinstance(value, dict):
        return {name: illustrated(member) for name, member in value.items()}
    if not isinstance(value, str):
        return value
    shown = PLACEHOLDER.sub(lambda found: found[2] or _ILLUSTRATIONS[found[1]], value)
    found = PLACEHOLDER.fullmatch(value)
    return int(shown) if found and found[1] == "int" else shown


def _elements(part: Any) -> list[Any]:
    if isinstance(part, dict) and ELEMENTS in part:
        return [expanded(part["of"])] * int(part[ELEMENTS])
    return [expanded(part)]


def _written(part: Part) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{part.name}"'
    if part.filename is not None:
        disposition += f'; filename="{part.filename}"'
    lines = [f"--{BOUNDARY}", disposition]
    if part.content_type is not None:
        lines.append(f"Content-Type: {part.content_type}")
    return "\r\n".join([*lines, "", ""]).encode() + part.content + b"\r\n"
