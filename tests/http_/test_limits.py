"""How large a body may be, and how it may be packed."""

import gzip
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from contract.pictures import png_of
from contract.tenant import Tenant
from contract.uploads import IMAGES, IMAGES_NEWER, JSON_UPLOADS, UPLOADS, Upload, form

JSON_LIMIT = 4 * 1024 * 1024
IMAGE_LIMIT = 20 * 1024 * 1024
GZIP = {"Content-Encoding": "gzip"}


def _padded(upload: Upload, size: int) -> bytes:
    return upload.body.ljust(size)


def _in_chunks(content: bytes) -> Iterator[bytes]:
    """Sent so, a body has no Content-Length."""
    for start in range(0, len(content), 65536):
        yield content[start : start + 65536]


@pytest.mark.parametrize("upload", JSON_UPLOADS, ids=str)
def test_a_json_body_of_4_mib_is_taken_and_one_byte_more_is_413(
    tenant: Tenant, upload: Upload
) -> None:
    """In the vendor's envelope."""
    key = upload.key(tenant)
    assert upload.send(tenant, key, _padded(upload, JSON_LIMIT)).status_code == 200
    upload.check(413, upload.send(tenant, key, _padded(upload, JSON_LIMIT + 1)))


@pytest.mark.parametrize("upload", JSON_UPLOADS, ids=str)
def test_a_body_of_unknown_length_is_held_to_the_same_limit(tenant: Tenant, upload: Upload) -> None:
    """Counted as it arrives."""
    key = upload.key(tenant)
    taken, rejected = _padded(upload, JSON_LIMIT), _padded(upload, JSON_LIMIT + 1)
    assert upload.send(tenant, key, _in_chunks(taken)).status_code == 200
    upload.check(413, upload.send(tenant, key, _in_chunks(rejected)))


@pytest.mark.parametrize("upload", [IMAGES, IMAGES_NEWER], ids=str)
def test_an_image_of_20_mib_is_taken_and_one_byte_more_is_413(
    tenant: Tenant, upload: Upload
) -> None:
    """The image counts, not the form around it."""
    key = upload.key(tenant)
    taken = upload.send(tenant, key, form(png_of(IMAGE_LIMIT)))
    assert (taken.status_code, taken.json()["response"]["size"]) == (200, "20 Mb")
    upload.check(413, upload.send(tenant, key, form(png_of(IMAGE_LIMIT + 1))))


def test_an_image_far_over_the_limit_is_413(tenant: Tenant) -> None:
    """Its form too is too large."""
    IMAGES.check(413, IMAGES.send(tenant, IMAGES.key(tenant), b"x" * (IMAGE_LIMIT * 3 // 2)))


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_a_body_may_be_compressed(tenant: Tenant, upload: Upload) -> None:
    """With gzip, in one member or several."""
    key = upload.key(tenant)
    half = len(upload.body) // 2
    members = gzip.compress(upload.body[:half]) + gzip.compress(upload.body[half:])
    for content in (gzip.compress(upload.body), members):
        assert upload.send(tenant, key, content, headers=GZIP).status_code == 200


@pytest.mark.parametrize("upload", JSON_UPLOADS, ids=str)
def test_the_limit_counts_the_decompressed_bytes(tenant: Tenant, upload: Upload) -> None:
    """However few the compressed ones are."""
    key = upload.key(tenant)
    taken, rejected = (
        gzip.compress(_padded(upload, size)) for size in (JSON_LIMIT, JSON_LIMIT + 1)
    )
    assert upload.send(tenant, key, taken, headers=GZIP).status_code == 200
    upload.check(413, upload.send(tenant, key, rejected, headers=GZIP))


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_a_gzip_bomb_is_413(tenant: Tenant, upload: Upload) -> None:
    """A hundred MiB in a hundred KB."""
    bomb = gzip.compress(b"\0" * (100 * 1024 * 1024), 1)
    upload.check(413, upload.send(tenant, upload.key(tenant), bomb, headers=GZIP))


@pytest.mark.parametrize(
    "broken",
    [lambda body: gzip.compress(body)[:-9], lambda body: b"\x1f\x8b" + body],
    ids=["cut off", "no header"],
)
@pytest.mark.parametrize("upload", JSON_UPLOADS, ids=str)
def test_broken_gzip_is_rejected_as_what_it_is_not(
    tenant: Tenant, upload: Upload, broken: Callable[[bytes], bytes]
) -> None:
    """With the endpoint's status for a body that is not JSON."""
    response = upload.send(tenant, upload.key(tenant), broken(upload.body), headers=GZIP)
    assert upload.rejected == response.status_code


def test_what_is_announced_takes_no_room(tenant: Tenant) -> None:
    """Nor do many senders of little: only bytes that have arrived count."""
    key = IMAGES.key(tenant)
    with ExitStack() as senders:
        for _ in range(32):
            _begin(senders, tenant, key, IMAGE_LIMIT, b"-")
        assert IMAGES.send(tenant, key, IMAGES.body).status_code == 200


def test_a_key_has_a_share_of_the_memory_for_bodies(tenant: Tenant) -> None:
    """Beyond it, its uploads are 503 in the vendor's envelope; those of other keys are accepted."""
    key, other = IMAGES.key(tenant), IMAGES.key(tenant)
    large = b"-" * IMAGE_LIMIT
    until = time.monotonic() + 60
    with ExitStack() as senders:
        while (response := IMAGES.send(tenant, key, large)).status_code == 400:
            assert time.monotonic() < until
            _begin(senders, tenant, key, IMAGE_LIMIT, large[:-1])
        assert IMAGES.send(tenant, other, IMAGES.body).status_code == 200
    IMAGES.check(503, response)
    assert int(response.headers["retry-after"]) >= 1
    while IMAGES.send(tenant, key, large).status_code == 503:
        assert time.monotonic() < until


def _begin(senders: ExitStack, tenant: Tenant, key: str, size: int, sent: bytes) -> None:
    """Announce an image and send a part of it, on a connection of its own."""
    url = tenant.client.base_url
    head = (
        f"POST {IMAGES.path}?apiKey={key} HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: {IMAGES.media_type}\r\nContent-Length: {size}\r\n\r\n"
    )
    sender = socket.create_connection((url.host, url.port or 0), timeout=20)
    senders.enter_context(sender).sendall(head.encode() + sent)
