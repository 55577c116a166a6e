"""What a format encodes is what it decodes, and what it answers is what its encoder reads."""

from importlib import import_module
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uptake.formats.base import UploadOperation, WireRequest
from uptake.formats.encoder import (
    AnyWire,
    ProfilesWire,
    Rejected,
    SamplesWire,
    Unclear,
    Verdict,
)
from uptake.formats.gerosense import encode as gerosense
from uptake.formats.ptengine import encode as ptengine
from uptake.formats.questionpro import encode as questionpro
from uptake.formats.registry import FORMATS
from uptake.formats.thymia import encode as thymia
from uptake.model.items import Attributes, Document, Image

OPERATIONS = {operation.name: operation for form in FORMATS for operation in form.endpoints}
WIRES: dict[str, AnyWire] = {
    wire.name: wire for form in FORMATS for wire in import_module(f"{form.package}.encode").WIRES
}
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def decoded(operation: UploadOperation, body: bytes, **parts: Any) -> Any:
    """The submission of a request."""
    return operation.decode(WireRequest("id", 0, "http://here", "http://here", body=body, **parts))


def test_every_endpoint_has_an_encoder() -> None:
    """With the same name and path, and one of its credentials."""
    assert WIRES.keys() == OPERATIONS.keys()
    for name, wire in WIRES.items():
        assert wire.path == OPERATIONS[name].path
        assert wire.credential in OPERATIONS[name].credentials


def test_the_limits_are_those_of_the_vendors_pages() -> None:
    """3 to 1000 samples; 100 users and 50 names, one of them user_id; 20 MiB."""
    for name in ("gerosense-v1.1", "gerosense-v2.2"):
        samples = WIRES[name]
        assert isinstance(samples, SamplesWire)
        assert (samples.least, samples.most) == (3, 1000)
    profiles = WIRES["ptengine"]
    assert isinstance(profiles, ProfilesWire)
    assert (profiles.most_rows, profiles.most_names) == (100, 49)
    assert questionpro.WIRES[0].most_bytes == 20 * 1024 * 1024


@given(st.text(max_size=256).filter(bool), st.sampled_from(["steps", "bpm"]))
def test_a_body_of_samples_has_user_metric_and_list(user_id: str, metric: str) -> None:
    """For any user; v1.1 names none."""
    v1_1, v2_2 = gerosense.WIRES
    body = msgspec.json.decode(v2_2.body(user_id, metric, b""))
    assert body == {"user_id": user_id, "data_type": metric, "data": []}
    body = msgspec.json.decode(v1_1.body(user_id, metric, b""))
    assert body == {"data_type": metric, "data": []}


@given(
    st.lists(texts.filter(lambda name: len(name) <= 50), unique=True, max_size=49),
    st.data(),
)
def test_encoded_attributes_decode_to_the_same(names: list[str], data: st.DataObject) -> None:
    """For any names and values, as text."""
    if "user_id" in names:
        names.remove("user_id")
    row = data.draw(
        st.lists(texts.map(lambda t: t[:128]), min_size=len(names), max_size=len(names))
    )
    submission = decoded(OPERATIONS["ptengine"], ptengine.body(names, [("u", row), ("v", row)]))
    assert submission.items == (
        Attributes("u", tuple(names), row),
        Attributes("v", tuple(names), row),
    )


@given(texts.filter(lambda user: len(user) <= 256))
def test_an_encoded_document_decodes_to_the_same(user_id: str) -> None:
    """Byte for byte."""
    data = b'{"mood": 4.00, "note": "\xc3\xa9"}'
    submission = decoded(
        OPERATIONS["thymia"], thymia.WIRES[0].body(user_id, data), path={"upload_type": "check-in"}
    )
    assert submission.items == (Document(user_id, "check-in", data),)


@given(st.text(), st.binary(min_size=1))
def test_an_encoded_image_decodes_to_the_same(name: str, content: bytes) -> None:
    """For any file name."""
    media, body = questionpro.form(name, content)
    submission = decoded(
        OPERATIONS["questionpro"], body, path={"user-id": "42"}, headers={"content-type": media}
    )
    assert submission.items == (Image("42", content),)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("plan", "x" * 128, None),
        ("plan", "x" * 129, "over 128 characters"),
        ("n" * 50, "", None),
        ("n" * 51, "", "a name has 1 to 50 characters"),
        ("", "", "a name has 1 to 50 characters"),
        ("user_id", "7", "no attribute can be named user_id"),
        ("plan", "a\0b", "must not contain a NUL character"),
        ("plan", 10**128, "over 128 characters"),
        ("plan", True, None),
    ],
)
def test_attributes_beyond_the_vendors_limits_have_a_fault(
    name: str, value: str, fault: str | None
) -> None:
    """By the limits of the vendor's page."""
    assert ptengine.fault(name, value) == fault


ONE = msgspec.json.encode(
    {
        "accepted": 2,
        "rejected": 1,
        "errors": [{"index": 1, "field": "value", "code": "above_limit", "message": "no"}],
    }
)
WHOLE = msgspec.json.encode(
    {
        "accepted": 0,
        "rejected": 0,
        "errors": [{"index": None, "field": "user_id", "code": "blank", "message": "no"}],
    }
)


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, b'{"accepted":3,"rejected":0,"errors":[]}', Verdict()),
        (200, b"", Verdict()),
        (207, ONE, Verdict((Rejected(1, "above_limit", "no", "value"),))),
        (207, b"", Verdict(unnamed=True)),
        (400, WHOLE, Verdict((Rejected(None, "blank", "no", "user_id"),))),
        (400, b" ", Verdict((Rejected(None, "", "rejected without a reason"),))),
        (400, b"<p>No", Verdict((Rejected(None, "", "<p>No"),))),
    ],
)
def test_answers_about_samples_are_read(status: int, body: bytes, verdict: Verdict) -> None:
    """With the bodies of this server, and without a body, as the vendor documents them."""
    assert gerosense.read(status, body, 3) == verdict


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, ONE[:-9]),
        (200, b"<html>"),
        (200, b'{"accepted":2,"rejected":0,"errors":[]}'),
        (207, ONE.replace(b'"index":1', b'"index":7')),
        (207, ONE.replace(b'"accepted":2', b'"accepted":3')),
    ],
)
def test_truncated_or_inconsistent_answers_are_unclear(status: int, body: bytes) -> None:
    """A request with such an answer is sent again."""
    with pytest.raises(Unclear):
        gerosense.read(status, body, 3)


def test_answers_about_attributes_are_read() -> None:
    """A message names a row or none; nothing of a rejected request is stored."""
    assert ptengine.read(200, b'{"msg":"Success","timestamp":1}', 2) == Verdict()
    answer = b'{"msg":"values[1][0]: the user_id is empty","timestamp":1}'
    fault = Rejected(1, "", "values[1][0]: the user_id is empty")
    assert ptengine.read(400, answer, 2) == Verdict((fault,), stores_others=False)
    fault = Rejected(None, "", "nonsense")
    assert ptengine.read(400, b'{"msg":"nonsense","timestamp":1}', 2) == Verdict(
        (fault,), stores_others=False
    )
    with pytest.raises(Unclear):
        ptengine.read(200, b'{"msg":"Succ', 2)


def test_answers_about_documents_are_read() -> None:
    """An id, every fault with its place, and an unknown document type."""
    assert thymia.read(200, b'{"uploadId":"7"}', 1) == Verdict(reference="7")
    answer = b'{"detail":[{"loc":["body","data","mood"],"msg":"no","type":"maximum"}]}'
    assert thymia.read(422, answer, 1) == Verdict((Rejected(0, "maximum", "no", "body.data.mood"),))
    answer = b'{"detail":[{"loc":["path","upload_type"],"msg":"no","type":"unknown_type"}]}'
    assert thymia.read(422, answer, 1) == Verdict(
        halt="the document type is not accepted: no; on an Uptake server, create it:"
        " uptake types add NAME"
    )
    with pytest.raises(Unclear):
        thymia.read(200, b"{}", 1)


def test_answers_about_images_are_read() -> None:
    """An address, or a reason."""
    answer = b'{"response":{"imageID":1,"imageURL":"http://x/1.png","size":"1 Kb"}}'
    assert questionpro.read(200, answer, 1) == Verdict(reference="http://x/1.png")
    error = {
        "docs": "",
        "name": "BAD_REQUEST",
        "httpStatusCode": 400,
        "id": "1000",
        "message": "The file is empty",
        "resourceUrl": "",
    }
    answer = msgspec.json.encode({"response": {"error": error}})
    assert questionpro.read(400, answer, 1) == Verdict(
        (Rejected(0, "BAD_REQUEST", "The file is empty"),)
    )
    with pytest.raises(Unclear):
        questionpro.read(200, answer, 1)
