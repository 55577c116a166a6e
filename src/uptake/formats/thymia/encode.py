"""thymia's requests from documents, and the outcome of a document from its answers."""

from collections.abc import Mapping

import msgspec

from uptake.formats.base import MALFORMED, Credential, Place
from uptake.formats.encoder import DocumentsWire, Rejected, Verdict, unreadable
from uptake.formats.thymia.wire import Invalid, Uploaded

_uploaded = msgspec.json.Decoder(Uploaded)
_invalid = msgspec.json.Decoder(Invalid)

TYPE_AT_FAULT = ["path", "upload_type"]

CREATE = "on an Uptake server, create it: uptake types add NAME"


def headers(key: str) -> Mapping[str, str]:
    """The header by which Uptake recognises a repeated upload; the vendor has no such header."""
    return {"Idempotency-Key": key}


def read(status: int, body: bytes, count: int) -> Verdict:  # noqa: ARG001 - one document
    """Returns the upload's id, or every fault.

    Raises:
        Unclear: the body is not one of this endpoint.
    """
    try:
        if status == 200:
            return Verdict(reference=_uploaded.decode(body).uploadId)
        entries = _invalid.decode(body).detail
    except MALFORMED:
        return unreadable(status, body, 0)
    for entry in entries:
        if entry.loc == TYPE_AT_FAULT:
            return Verdict(halt=f"the document type is not accepted: {entry.msg}; {CREATE}")
    return Verdict(
        tuple(
            Rejected(0, entry.type, entry.msg, ".".join(map(str, entry.loc))) for entry in entries
        )
    )


WIRES = (
    DocumentsWire(
        name="thymia",
        path="/v1/user-data/{upload_type}",
        credential=Credential(Place.HEADER, "x-api-key"),
        read=read,
        type_in_path="upload_type",
        headers=headers,
        user_path=("user", "userLabel"),
        document_member="data",
        is_default=True,
    ),
)
