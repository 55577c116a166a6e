"""How the bytes of an image reach a client: whole, in part, and not at all."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from contract.pictures import PNG, noise
from contract.tenant import Tenant

MIB = 1024 * 1024
LARGE = 20 * MIB - 4096
"""Nearly the largest size of a picture."""


def _url(tenant: Tenant, content: bytes) -> str:
    return str(tenant.picture("42", content).json()["response"]["imageURL"])


@pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1, LARGE])
def test_an_image_of_any_size_comes_whole(tenant: Tenant, size: int) -> None:
    """With its length reported before."""
    content = noise(size)
    answer = tenant.client.get(_url(tenant, content))
    assert str(size) == answer.headers["content-length"]
    assert answer.headers["accept-ranges"] == "bytes"
    assert content == answer.content


def test_no_download_of_many_is_cut_off(tenant: Tenant) -> None:
    """Also while others are sent: the server may not take a client for gone that is there."""
    content = noise(MIB)
    url = _url(tenant, content)
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda _: tenant.client.get(url), range(200))
        assert {answer.content == content for answer in answers} == {True}


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-9", 0, 10),
        ("bytes=10-", 10, None),
        ("bytes=10-19", 10, 20),
        ("bytes=-10", -10, None),
        ("bytes=0-999999999", 0, None),
        ("bytes=-999999999", 0, None),
        ("BYTES=5-5", 5, 6),
    ],
)
def test_a_part_is_206(tenant: Tenant, asked: str, start: int, end: int | None) -> None:
    """With the place of the part in the whole (RFC 9110, 14.4)."""
    answer = tenant.client.get(_url(tenant, PNG), headers={"Range": asked})
    assert (206, PNG[start:end]) == (answer.status_code, answer.content)
    first = start % len(PNG)
    result = f"bytes {first}-{first + len(answer.content) - 1}/{len(PNG)}"
    assert result == answer.headers["content-range"]
    assert answer.headers["content-type"] == "image/png"


def test_a_part_across_the_parts_that_are_read_is_one(tenant: Tenant) -> None:
    """Wherever those end."""
    content = noise(4 * MIB)
    start, end = MIB - 7, 3 * MIB + 11
    asked = {"Range": f"bytes={start}-{end - 1}"}
    answer = tenant.client.get(_url(tenant, content), headers=asked)
    assert (206, content[start:end]) == (answer.status_code, answer.content)


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=",
        "bytes=-",
        "bytes=9-3",
        "bytes=0-1,5-6",
        "bytes=one-two",
        "lines=0-1",
        "0-1",
        "bytes=0-" + "9" * 5000,
        "bytes=٣-٤".encode().decode("latin-1"),
    ],
)
def test_what_is_no_part_is_the_whole(tenant: Tenant, asked: str) -> None:
    """More than one part too: the RFC lets a server ignore what it does not offer."""
    headers = [(b"Range", asked.encode("latin-1"))]
    answer = tenant.client.get(_url(tenant, PNG), headers=headers)
    assert (answer.status_code, answer.content) == (200, PNG)


@pytest.mark.parametrize("asked", ["bytes=100000-", "bytes=100000-100001", "bytes=-0"])
def test_a_part_after_the_end_is_416(tenant: Tenant, asked: str) -> None:
    """With the length of the whole."""
    answer = tenant.client.get(_url(tenant, PNG), headers={"Range": asked})
    assert (answer.status_code, answer.content) == (416, b"")
    assert f"bytes */{len(PNG)}" == answer.headers["content-range"]


def test_a_part_of_something_else_is_the_whole(tenant: Tenant) -> None:
    """`If-Range` with another tag than the image's."""
    url = _url(tenant, PNG)
    etag = tenant.client.get(url).headers["etag"]
    for named, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        asked = {"Range": "bytes=0-9", "If-Range": named}
        assert status == tenant.client.get(url, headers=asked).status_code


def test_what_a_client_has_it_is_not_sent_in_part_either(tenant: Tenant) -> None:
    """`If-None-Match` goes before `Range` (RFC 9110, 13.2.2)."""
    url = _url(tenant, PNG)
    etag = tenant.client.get(url).headers["etag"]
    answer = tenant.client.get(url, headers={"Range": "bytes=0-9", "If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")
