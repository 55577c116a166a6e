"""The decoders of all operations, given anything."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from uptake.formats.base import Format, UploadOperation, WireRequest
from uptake.formats.registry import FORMATS
from uptake.model.problems import Problem
from uptake.model.receipt import Receipt
from uptake.model.submission import Submission

from .bodies import batches, documents, json_values, mutated, profiles

EXAMPLES = 150
SECONDS = 5.0
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\nGIF89a\r\n--b--\r\n"
)
MULTIPART = "multipart/form-data; boundary=b"
OPERATIONS = {operation.name: (form, operation) for form in FORMATS for operation in form.uploads}
SOUND: dict[str, SearchStrategy[object]] = {
    "thymia": documents,
    "ptengine": profiles(),
    "gerosense-v1.1": batches(),
    "gerosense-v2.2": batches(),
}


def _request(body: bytes, content_type: str = "", user: str = "7") -> WireRequest:
    return WireRequest(
        request_id="r",
        received_at=1_700_000_000_000_000,
        url="http://localhost/",
        public_url="http://localhost",
        path={"upload_type": "diary", "user-id": user},
        headers={"content-type": content_type},
        body=body,
        bound_user="bound",
    )


def _decode(form: Format, operation: UploadOperation, request: WireRequest) -> None:
    """Decode, and answer what was rejected; raises for whatever must not happen."""
    started = time.monotonic()
    try:
        submission = operation.decode(request)
    except Problem as problem:
        _reported(form, problem, request)
        return
    finally:
        assert time.monotonic() - started < SECONDS
    assert isinstance(submission, Submission)
    assert submission.items or submission.rejections
    for rejection in submission.rejections:
        assert rejection.faults
        assert all(fault.code and fault.message for fault in rejection.faults)
    if not submission.items:
        answer = operation.reply(Receipt(request.received_at, (), submission.rejections), request)
        assert answer.status in {400, 422}
        assert json.loads(answer.body)


def _reported(form: Format, problem: Problem, request: WireRequest) -> None:
    reply = form.reject(problem, request)
    assert reply.status == problem.status
    assert json.loads(reply.body)


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(body=st.binary(max_size=200), content_type=st.sampled_from(["", MULTIPART]))
def test_any_bytes_are_decoded_or_rejected(name: str, body: bytes, content_type: str) -> None:
    """Nothing but a `Problem` is ever raised."""
    _decode(*OPERATIONS[name], _request(body, content_type))


@pytest.mark.parametrize("name", SOUND)
@settings(max_examples=EXAMPLES, deadline=None)
@given(value=json_values)
def test_any_json_is_decoded_or_rejected(name: str, value: object) -> None:
    """Also with numbers that are none, and text that is not Unicode."""
    _decode(*OPERATIONS[name], _request(json.dumps(value).encode()))


@pytest.mark.parametrize("name", SOUND)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_mutated_sound_bodies_are_decoded_or_rejected(name: str, data: st.DataObject) -> None:
    """A place exchanged, a member missing, some bytes changed."""
    _decode(*OPERATIONS[name], _request(data.draw(mutated(SOUND[name]))))


@settings(max_examples=EXAMPLES * 2, deadline=None)
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, len(FORM)), st.integers(0, 20), st.binary(max_size=10)),
        max_size=4,
    ),
    content_type=st.sampled_from([MULTIPART, "multipart/form-data", "Multipart/Form-Data;boundary"])
    | st.text(st.characters(max_codepoint=255), max_size=40).map(
        lambda text: f"multipart/form-data; boundary={text}"
    ),
    user=st.sampled_from(["7", "-7", "", "x", "٣", "1" * 300, "7\n", "%37"]),
)
def test_mutated_forms_are_decoded_or_rejected(
    cuts: list[tuple[int, int, bytes]], content_type: str, user: str
) -> None:
    """Boundaries, part headers and what they enclose."""
    body = bytearray(FORM)
    for at, length, replacement in cuts:
        body[at : at + length] = replacement
    _decode(*OPERATIONS["questionpro"], _request(bytes(body), content_type, user))


@pytest.mark.parametrize("name", SOUND)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_sound_bodies_are_not_rejected(name: str, data: st.DataObject) -> None:
    """Whatever is as the vendor documents it is taken whole."""
    body = json.dumps(data.draw(SOUND[name])).encode()
    submission = OPERATIONS[name][1].decode(_request(body))
    assert submission.items
    assert submission.rejections == ()
