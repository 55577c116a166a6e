"""Bodies that are invalid JSON, or valid JSON of an unusual kind."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from uptake.testing.live import LiveServer

from .uploads import DOCUMENT_TYPE, samples

pytestmark = pytest.mark.usefixtures("served_throughout")

DEEP = 100_000
JSON_LIMIT = 4 * 1024 * 1024
DOCUMENT = f"/v1/user-data/{DOCUMENT_TYPE}"
PROFILES = "/v1/user/profiles"
SAMPLES = "/api/v2.2/samples"
REJECTED = {DOCUMENT: 422, PROFILES: 400, SAMPLES: 400}
"""What each JSON endpoint answers to a body that it does not take."""

SOUND: dict[str, Any] = {
    DOCUMENT: {"user": {"userLabel": "odd"}, "data": {"a": 1}},
    PROFILES: {"field_name": ["user_id", "a"], "values": [["odd", "1"]]},
    SAMPLES: {"user_id": "odd", "data_type": "steps", "data": samples(range(3))},
}

Send = Callable[..., httpx2.Response]


@pytest.fixture(scope="module")
def send(live: LiveServer, key: str) -> Send:
    """Sends a body, with the key in every place."""
    live.create_type(DOCUMENT_TYPE)
    secrets = {"Authorization": f"Bearer {key}", "x-api-key": key}

    def post(path: str, body: Any, **headers: str) -> httpx2.Response:
        answer = httpx2.post(
            live.url + path, content=body, headers={**secrets, **headers}, timeout=60
        )
        assert answer.headers["content-type"] == "application/json"
        assert "x-request-id" in answer.headers
        return answer

    return post


def _text(path: str) -> str:
    return json.dumps(SOUND[path])


MALFORMED: dict[str, Callable[[str], bytes]] = {
    "empty": lambda _: b"",
    "blank": lambda _: b" \r\n\t",
    "no-json": lambda _: b"field_name=user_id",
    "two-values": lambda text: text.encode() * 2,
    "comment": lambda text: b"/* */" + text.encode(),
    "trailing-comma": lambda text: text.encode()[:-1] + b",}",
    "single-quotes": lambda text: text.replace('"', "'").encode(),
    "nan": lambda text: text.replace('"1"', "1").replace("1", "NaN").encode(),
    "infinity": lambda text: text.replace('"1"', "1").replace("1", "Infinity").encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-32": lambda text: text.encode("utf-32"),
    "latin-1": lambda text: text.replace("odd", "öd").encode("latin-1"),
    "half-a-pair": lambda text: text.replace("odd", "\\ud800").encode(),
    "pair-reversed": lambda text: text.replace("odd", "\\udc00\\ud800").encode(),
    "surrogate-in-utf-8": lambda text: text.replace("odd", "\ud800").encode(
        "utf-8", "surrogatepass"
    ),
    "overlong-utf-8": lambda text: text.encode().replace(b"odd", b"\xc0\xaf"),
    "raw-control": lambda text: text.replace("odd", "o\x01d").encode(),
    "raw-nul": lambda text: text.replace("odd", "o\0d").encode(),
    "nul-after": lambda text: text.encode() + b"\0",
    "deep-list": lambda _: b"[" * DEEP + b"]" * DEEP,
    "deep-open": lambda _: b"[" * DEEP,
    "deep-object": lambda _: b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "gzip-unannounced": lambda text: gzip.compress(text.encode()),
}


@pytest.mark.parametrize("path", SOUND)
@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_json_is_rejected(send: Send, path: str, name: str) -> None:
    """In the vendor's envelope, and the next sound request is taken."""
    answer = send(path, MALFORMED[name](_text(path)))
    assert REJECTED[path] == answer.status_code, answer.text
    match path, answer.json():
        case "/api/v2.2/samples", body_of_answer:
            assert (body_of_answer["accepted"], body_of_answer["rejected"]) == (0, 0)
            faults = [(error["index"], error["field"]) for error in body_of_answer["errors"]]
            codes = {error["code"] for error in body_of_answer["errors"]}
            assert faults == [(None, None)], body_of_answer
            assert codes <= {"json_invalid", "wrong_type"}
        case "/v1/user/profiles", body_of_answer:
            assert {"msg", "timestamp"} == set(body_of_answer)
        case _, body_of_answer:
            assert list(body_of_answer) == ["detail"]
            assert all({"loc", "msg", "type"} == set(entry) for entry in body_of_answer["detail"])


@pytest.mark.parametrize("path", SOUND)
def test_every_beginning_of_a_body_is_rejected(send: Send, path: str) -> None:
    """Wherever it is cut off."""
    whole = _text(path).encode()
    for end in range(0, len(whole), max(1, len(whole) // 20)):
        assert REJECTED[path] == send(path, whole[:end]).status_code


@pytest.mark.parametrize("value", ["null", "true", "0", '"text"', "[]", "[{}]", "1e999", "-0"])
@pytest.mark.parametrize("path", SOUND)
def test_json_that_is_no_object_is_rejected(send: Send, path: str, value: str) -> None:
    """Whatever else it is."""
    assert REJECTED[path] == send(path, value.encode()).status_code


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "9" * 5000, "1" * 30 + ".5", "0." + "0" * 5000 + "1"]
)
@pytest.mark.parametrize("path", SOUND)
def test_numbers_outside_every_range_do_not_fail(send: Send, path: str, number: str) -> None:
    """They are rejected where the value must be an ordinary number."""
    text = _text(path).replace('"value": 2', f'"value": {number}').replace('"1"', number)
    answer = send(path, text.replace('{"a": 1}', f'{{"a": {number}}}').encode())
    assert answer.status_code in {200, 207, REJECTED[path]}


def test_a_sample_of_more_than_all_range_is_above_limit(send: Send) -> None:
    """As any other that is too large."""
    text = _text(SAMPLES).replace('"value": 2', '"value": 1e999')
    answer = send(SAMPLES, text.encode())
    assert answer.status_code == 207
    (error,) = answer.json()["errors"]
    assert (error["index"], error["field"], error["code"]) == (1, "value", "above_limit")


def test_of_a_repeated_member_one_counts(send: Send) -> None:
    """It is still one request about one user."""
    for path, member in (
        (PROFILES, '"values": [["twice", "1"]], '),
        (SAMPLES, '"user_id": "twice", '),
    ):
        assert send(path, ("{" + member + _text(path)[1:]).encode()).status_code == 200
    twice = (
        b'{"user": {"userLabel": "odd"}, "user": {"userLabel": "odd"}, "data": {"a": 1, "a": 2}}'
    )
    assert send(DOCUMENT, twice).status_code == 200


NUL_BODIES = {
    "user-label": (DOCUMENT, {"user": {"userLabel": "a\0b"}, "data": {}}, 422),
    "document-data": (
        DOCUMENT,
        {"user": {"userLabel": "nul"}, "data": {"a\0": ["\0", {"\0": 1}]}},
        200,
    ),
    "user-id": (PROFILES, {"field_name": ["user_id"], "values": [["a\0b"]]}, 400),
    "attribute-name": (PROFILES, {"field_name": ["user_id", "a\0"], "values": [["nul", "1"]]}, 400),
    "attribute-value": (PROFILES, {"field_name": ["user_id", "a"], "values": [["nul", "\0"]]}, 400),
    "sample-user": (SAMPLES, {**SOUND[SAMPLES], "user_id": "a\0b"}, 400),
    "data-type": (SAMPLES, {**SOUND[SAMPLES], "data_type": "steps\0"}, 400),
}


@pytest.mark.parametrize("name", NUL_BODIES)
def test_a_nul_character_is_rejected_where_it_names_something(send: Send, name: str) -> None:
    """In a document it is stored as it was sent."""
    path, body, status = NUL_BODIES[name]
    assert status == send(path, json.dumps(body).encode()).status_code


@pytest.mark.parametrize(
    "field", ["device_name", "device_version", "start_date", "end_date", "unit"]
)
def test_a_nul_character_rejects_its_sample(send: Send, field: str) -> None:
    """Other samples are accepted."""
    body = {**SOUND[SAMPLES], "user_id": "nul", "data": samples(range(4))}
    body["data"][2][field] = "a\0b"
    answer = send(SAMPLES, json.dumps(body).encode())
    assert answer.status_code in {200, 207}
    assert {2} >= {error["index"] for error in answer.json()["errors"]}


def test_a_byte_order_mark_is_skipped(send: Send) -> None:
    """Some programs write one before JSON; two, or one of another encoding, are rejected."""
    mark = b"\xef\xbb\xbf"
    for path in SOUND:
        text = _text(path).encode()
        assert send(path, mark + text).status_code == 200
        packed = gzip.compress(mark + text)
        assert send(path, packed, **{"Content-Encoding": "gzip"}).status_code == 200
        assert REJECTED[path] == send(path, mark * 2 + text).status_code


def test_a_body_of_the_largest_size_is_validated_and_one_byte_more_is_413(send: Send) -> None:
    """The limit of JSON bodies is 4 MiB, whatever their content."""
    for path in SOUND:
        text = _text(path).encode()
        filled = text + b" " * (JSON_LIMIT - len(text))
        assert send(path, filled).status_code == 200
        assert send(path, filled + b" ").status_code == 413


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip, deflate", "*"])
def test_an_unsupported_encoding_is_415(send: Send, encoding: str) -> None:
    """In the vendor's envelope."""
    for path in SOUND:
        assert send(path, b"{}", **{"Content-Encoding": encoding}).status_code == 415


def _bare_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


PACKED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP", gzip.compress),
    "padded": ("gzip", lambda text: gzip.compress(text) + bytes(5000)),
    "members": ("gzip", lambda text: gzip.compress(text[:9]) + gzip.compress(text[9:])),
    "padded-members": (
        "gzip",
        lambda text: gzip.compress(text[:9]) + bytes(3) + gzip.compress(text[9:]) + bytes(1),
    ),
    "empty-member": ("gzip", lambda text: gzip.compress(text) + gzip.compress(b"")),
    "zlib": ("deflate", zlib.compress),
    "bare": ("deflate", _bare_deflate),
    "stored": ("deflate", lambda text: zlib.compress(text, 0)),
    "identity": ("identity", lambda text: text),
}


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("path", SOUND)
def test_a_compressed_body_is_read(send: Send, path: str, name: str) -> None:
    """In every form in which clients make it, and in pieces of a byte."""
    encoding, pack = PACKED[name]
    headers = {"Content-Encoding": encoding}
    content = pack(_text(path).encode())
    assert send(path, content, **headers).status_code == 200
    pieces = (content[i : i + 1] for i in range(len(content)))
    assert send(path, pieces if len(content) < 1000 else content, **headers).status_code == 200


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "without-its-end": lambda packed: packed[:-4],
    "cut-off": lambda packed: packed[: len(packed) // 2],
    "followed-by-rubbish": lambda packed: packed + b"rubbish",
    "damaged": lambda packed: packed[:20] + bytes([packed[20] ^ 255]) + packed[21:],
    "something-else": lambda _: b"something else",
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_the_reason_of_a_body_that_cannot_be_decompressed_names_its_encoding(
    send: Send, encoding: str, pack: Callable[[bytes], bytes], name: str
) -> None:
    """In the form of the endpoint's other bad bodies; nothing of it is stored."""
    for path in SOUND:
        body = BROKEN[name](pack(_text(path).encode()))
        answer = send(path, body, **{"Content-Encoding": encoding})
        assert REJECTED[path] == answer.status_code
        assert f"The body is not valid {encoding}: " in answer.text


def test_schemas_and_documents_of_any_depth_do_not_fail(send: Send) -> None:
    """A depth that can be read is stored; a greater one is rejected."""
    for depth in (10, 100, 400, 900, 1100, 5000):
        data = '{"a":' * depth + "1" + "}" * depth
        answer = send(DOCUMENT, f'{{"user": {{"userLabel": "deep"}}, "data": {data}}}'.encode())
        assert answer.status_code in {200, 422}, answer.text
        keyed = {"Idempotency-Key": f"depth-{depth}"}
        answer = send(
            DOCUMENT, f'{{"user": {{"userLabel": "deep"}}, "data": {data}}}'.encode(), **keyed
        )
        assert answer.status_code in {200, 422}, answer.text
