"""Operation 3: images of users. What is done to the pictures themselves is in `test_images`."""

from typing import Any

import pytest

from contract.pictures import PNG, encoded, png_of
from contract.tenant import Tenant
from contract.uploads import IMAGES, IMAGES_NEWER, form

MIB = 1024 * 1024


def test_an_upload_is_answered_with_number_address_and_size(tenant: Tenant) -> None:
    """No other members."""
    body = tenant.picture("42", PNG).json()
    assert list(body) == ["response"]
    assert {"imageID", "imageURL", "size"} == set(body["response"])
    assert isinstance(body["response"]["imageID"], int)
    assert body["response"]["size"] == "1 Kb"
    assert tenant.client.get(body["response"]["imageURL"]).status_code == 200


def test_with_the_header_the_answer_carries_a_request_id(tenant: Tenant) -> None:
    """`requestID`, beside `response`, as on the newer page."""
    response = IMAGES_NEWER.send(tenant, tenant.secret)
    assert {"response", "requestID"} == set(response.json())
    assert response.headers["x-request-id"] == response.json()["requestID"]
    assert {"imageID", "imageURL", "size"} == set(response.json()["response"])
    assert list(IMAGES.send(tenant, tenant.secret).json()) == ["response"]


@pytest.mark.parametrize(
    ("size", "result"),
    [
        (200, "1 Kb"),
        (1024, "1 Kb"),
        (137 * 1024, "137 Kb"),
        (MIB, "1 Mb"),
        (MIB * 3 // 2, "1.5 Mb"),
        (2 * MIB, "2 Mb"),
    ],
)
def test_a_size_has_the_vendors_form(tenant: Tenant, size: int, result: str) -> None:
    """Whole `Kb` below 1 MiB, else one decimal of `Mb` without a trailing `.0`."""
    content = png_of(size)
    assert size == len(content)
    assert result == tenant.picture("42", content).json()["response"]["size"]


def test_the_same_bytes_for_the_same_user_are_the_same_image(tenant: Tenant) -> None:
    """Another user's, and other bytes, are others."""
    first = tenant.picture("42", PNG).json()
    assert first == tenant.picture("42", PNG).json()
    ids = {
        first["response"]["imageID"],
        tenant.picture("43", PNG).json()["response"]["imageID"],
        tenant.picture("42", encoded("GIF")).json()["response"]["imageID"],
    }
    assert len(ids) == 3
    assert len(tenant.images("42")) == 2


@pytest.mark.parametrize("user_id", ["alice", "1.5", "4%202", "0x2A", "", "%20"])
def test_a_user_id_that_is_no_integer_is_400(tenant: Tenant, user_id: str) -> None:
    """`Invalid URL parameters`; an empty one is another address."""
    response = tenant.picture(user_id, PNG)
    if not user_id:
        IMAGES.check(404, response)
        return
    IMAGES.check(400, response)
    assert response.json()["response"]["error"]["message"] == "Invalid URL parameters"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (form(b""), "empty"),
        (form(PNG[:-30]), "cut off"),
        (form(b"I am a photo"), "PNG"),
        (form(PNG, "picture"), "named file"),
        (b"", "form"),
    ],
    ids=["empty", "truncated", "not an image", "no file", "no form"],
)
def test_the_message_states_what_is_wrong_with_an_image(
    tenant: Tenant, content: bytes, word: str
) -> None:
    """And the upload is stored as rejected."""
    response = IMAGES.send(tenant, tenant.secret, content)
    IMAGES.check(400, response)
    assert word in response.json()["response"]["error"]["message"]
    assert len(tenant.rejections()) == 1
    assert tenant.get("/users/42").status_code == 404


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b'{"file": "/home/alice/photo.png"}', "application/json"),
        (b"file=/home/alice/photo.png", "multipart/form-data"),
        (PNG, "image/png"),
    ],
)
def test_a_body_that_is_not_a_form_is_rejected_with_a_hint(
    tenant: Tenant, body: bytes, media_type: str
) -> None:
    """A path on the client's disk cannot be read from here."""
    response = IMAGES.send(tenant, tenant.secret, body, headers={"Content-Type": media_type})
    IMAGES.check(400, response)
    assert "multipart" in response.json()["response"]["error"]["message"]


def test_errors_have_the_url_without_the_key(tenant: Tenant) -> None:
    """`resourceUrl` is the address without its query."""
    error: dict[str, Any] = IMAGES.send(tenant, "wrong-key").json()["response"]["error"]
    base_url = str(tenant.client.base_url).rstrip("/")
    assert base_url + IMAGES.path == error["resourceUrl"]
    assert error["message"] == "Incorrect API Key"


def test_the_documented_key_in_the_query_goes_before_the_header(tenant: Tenant) -> None:
    """Either is a key; the older form is the one answered."""
    response = tenant.client.post(
        IMAGES.path,
        params={"apiKey": tenant.secret},
        headers={"api-key": tenant.secret, "Content-Type": IMAGES.media_type},
        content=IMAGES.body,
    )
    assert list(response.json()) == ["response"]
