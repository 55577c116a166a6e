"""The upload endpoints of a live server, given anything."""

import json
from collections.abc import Callable, Iterator

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from uptake.testing.live import ALL_WRITES, LiveServer

from .bodies import batches, documents, json_values, mutated, profiles

pytestmark = pytest.mark.usefixtures("served_throughout")

PATHS: dict[str, SearchStrategy[object]] = {
    "/v1/user-data/fuzz": documents,
    "/v1/user/profiles": profiles(),
    "/api/v1.1/samples": batches(),
    "/api/v2.2/samples": batches(),
}
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\nGIF89a\r\n--b--\r\n"
)
MULTIPART = "multipart/form-data; boundary=b"
STATUSES = {200, 207, 400, 413, 415, 422}
SETTINGS = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Send = Callable[[str, bytes, str], None]


@pytest.fixture(scope="module")
def send(live: LiveServer) -> Iterator[Send]:
    """Sends a body to a path; the answer is JSON, and no failure of the server."""
    live.create_type("fuzz")
    key = live.create_key(*ALL_WRITES)
    bound = live.create_key("samples:write", user="fuzz")
    with httpx2.Client(base_url=live.url, timeout=60) as client:

        def post(path: str, body: bytes, content_type: str = "application/json") -> None:
            secret = bound if path.startswith("/api/v1.1/") else key
            names = {"x-api-key": secret, "api-key": secret, "Authorization": f"Bearer {secret}"}
            answer = client.post(
                path, content=body, headers={**names, "Content-Type": content_type}
            )
            assert answer.status_code in STATUSES, answer.text
            assert isinstance(answer.json(), dict)

        yield post


@pytest.mark.parametrize("path", [*PATHS, "/a/api/v2/users/7/images"])
@SETTINGS
@given(body=st.binary(max_size=200), content_type=st.sampled_from(["application/json", MULTIPART]))
def test_any_bytes_are_answered(send: Send, path: str, body: bytes, content_type: str) -> None:
    """Whatever they claim to be."""
    send(path, body, content_type)


@pytest.mark.parametrize("path", PATHS)
@SETTINGS
@given(value=json_values)
def test_any_json_is_answered(send: Send, path: str, value: object) -> None:
    """Also with `NaN`, infinities, and text that is not Unicode."""
    send(path, json.dumps(value).encode(), "application/json")


@pytest.mark.parametrize("path", PATHS)
@SETTINGS
@given(data=st.data())
def test_mutated_sound_bodies_are_answered(send: Send, path: str, data: st.DataObject) -> None:
    """A value replaced, a member missing, some bytes changed."""
    send(path, data.draw(mutated(PATHS[path])), "application/json")


@SETTINGS
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, len(FORM)), st.integers(0, 20), st.binary(max_size=10)),
        max_size=4,
    )
)
def test_mutated_forms_are_answered(send: Send, cuts: list[tuple[int, int, bytes]]) -> None:
    """Boundaries, part headers and contents."""
    body = bytearray(FORM)
    for at, length, replacement in cuts:
        body[at : at + length] = replacement
    send("/a/api/v2/users/7/images", bytes(body), MULTIPART)
