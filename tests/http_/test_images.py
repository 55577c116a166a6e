"""Images as they are served: cleaned, upright, not to be guessed, to be cached."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from PIL import Image

from contract.pictures import PNG, SECRET, encoded, exif, opened, png_of
from contract.tenant import Tenant
from uptake.testing.live import serving

KINDS = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}


def _url(tenant: Tenant, content: bytes, user_id: str = "42") -> str:
    return str(tenant.picture(user_id, content).json()["response"]["imageURL"])


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_is_served_as_what_it_is(tenant: Tenant, kind: str) -> None:
    """Recognised by content: these are all uploaded under the name `photo`."""
    content = encoded(kind)
    response = tenant.client.get(_url(tenant, content))
    assert response.status_code == 200
    assert KINDS[kind] == response.headers["content-type"]
    assert content == response.content
    (image,) = tenant.images("42")
    assert (8, 4, KINDS[kind]) == (image["width"], image["height"], image["media_type"])
    assert len(response.content) == image["bytes"]


@pytest.mark.parametrize("name", ["photo.exe", "photo.png", "../../etc/passwd", "a\\b.html", ""])
def test_a_name_means_nothing(tenant: Tenant, name: str) -> None:
    """A JPEG is one, whatever it is called and said to be."""
    response = tenant.client.post(
        "/a/api/v2/users/42/images",
        params={"apiKey": tenant.secret},
        files={"file": (name, encoded("JPEG"), "text/html")},
    )
    url = response.json()["response"]["imageURL"]
    assert tenant.client.get(url).headers["content-type"] == "image/jpeg"
    assert "passwd" not in url


def test_an_etag_spares_the_transfer(tenant: Tenant) -> None:
    """304 without a body for the tag that was reported, 200 for another."""
    url = _url(tenant, PNG)
    etag = tenant.client.get(url).headers["etag"]
    assert re.fullmatch('"[^"]+"', etag)
    for asked in (etag, f"W/{etag}", f'"other", {etag}'):
        response = tenant.client.get(url, headers={"If-None-Match": asked})
        assert (304, b"", etag) == (
            response.status_code,
            response.content,
            response.headers["etag"],
        )
    assert tenant.client.get(url, headers={"If-None-Match": '"other"'}).status_code == 200


def test_any_stored_image_matches_a_star(tenant: Tenant) -> None:
    """RFC 9110: `If-None-Match: *` is about any representation."""
    response = tenant.client.get(_url(tenant, PNG), headers={"If-None-Match": "*"})
    assert response.status_code == 304


def test_head_has_the_headers_of_get(tenant: Tenant) -> None:
    """Without the bytes."""
    url = _url(tenant, PNG)
    head, full = tenant.client.head(url), tenant.client.get(url)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag"):
        assert full.headers[name] == head.headers[name]


def test_there_is_no_directory_listing(tenant: Tenant) -> None:
    """Neither of all images nor of a part of a name."""
    url = _url(tenant, PNG)
    paths = ["/images", "/images/", url.rpartition("/")[0] + "/", url[:-6]]
    assert {404} == {tenant.client.get(path).status_code for path in paths}


def test_an_address_cannot_be_guessed(tenant: Tenant) -> None:
    """It has 128 random bits, and nothing of user, number, key or content."""
    urls = {_url(tenant, PNG, user_id) for user_id in ("41", "42", "43")}
    names = {url.rpartition("/")[2] for url in urls}
    assert len(names) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32,}\.png", name) for name in names)
    images = tenant.images("42")
    assert not any(images[0]["sha256"][:8] in name for name in names)


def test_an_image_needs_no_key(tenant: Tenant) -> None:
    """Whoever knows its address may see it; a wrong key does no harm."""
    url = _url(tenant, PNG)
    assert tenant.client.get(url).status_code == 200
    assert tenant.client.get(url, headers={"Authorization": "Bearer x"}).status_code == 200


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_location_and_other_exif_data_never_leave_the_server(tenant: Tenant, kind: str) -> None:
    """The picture stays."""
    content = encoded(kind, exif=exif())
    assert SECRET in content
    served = tenant.client.get(_url(tenant, content)).content
    assert SECRET not in served
    assert not opened(served).getexif()
    assert opened(served).size == (8, 4)


def test_comments_never_leave_the_server(tenant: Tenant) -> None:
    """Text in a PNG, as EXIF data."""
    content = png_of(2000, SECRET)
    assert SECRET in content
    assert tenant.client.get(_url(tenant, content)).content == PNG


CASES = Path(__file__).parents[1] / "cases" / "images"


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.iterdir()))
def test_files_that_people_have_are_served_repaired_and_without_their_place(
    tenant: Tenant, name: str
) -> None:
    """Trailers, missing ends, a damaged byte: a picture that viewers show, and nothing else."""
    served = tenant.client.get(_url(tenant, (CASES / name).read_bytes())).content
    picture = opened(served)
    assert picture.size in {(160, 120), (64, 48)}
    assert not re.search(rb"GPS|Latitude|Raw profile|ftyp|SEFT", served)
    assert _url(tenant, served, "43") != _url(tenant, (CASES / name).read_bytes())


def _rgb(picture: Image.Image, at: tuple[int, int]) -> tuple[int, int, int]:
    found = picture.getpixel(at)
    assert isinstance(found, tuple)
    red, green, blue = found
    return red, green, blue


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_turned_picture_is_served_upright(tenant: Tenant, kind: str) -> None:
    """Orientation 6: what is at the left as stored is at the top as shown."""
    content = encoded(kind, 64, 32, exif=exif(orientation=6))
    picture = opened(tenant.client.get(_url(tenant, content)).content).convert("RGB")
    assert picture.size == (32, 64)
    red, _, blue = _rgb(picture, (28, 4))
    assert (blue > 150, red < 100) == (True, True)
    red, _, blue = _rgb(picture, (4, 4))
    assert (red > 150, blue < 100) == (True, True)
    (image,) = tenant.images("42")
    assert (image["width"], image["height"]) == (32, 64)


def test_by_default_the_address_is_the_one_that_the_request_came_to(tenant: Tenant) -> None:
    """As the `Host` header has it."""
    response = tenant.picture("42", PNG, Host="uptake.example:8443")
    assert response.json()["response"]["imageURL"].startswith("http://uptake.example:8443/images/")


@pytest.mark.parametrize("slash", ["", "/"])
def test_with_a_public_url_the_address_is_under_it(data_dir: Path, slash: str) -> None:
    """`--public-url`, with a path of a proxy; also where images are listed."""
    with serving(data_dir, "--public-url", f"https://data.example/uptake{slash}") as server:
        secret = server.create_key()
        with httpx2.Client(base_url=server.url) as client:
            result = client.post(
                "/a/api/v2/users/42/images",
                params={"apiKey": secret},
                files={"file": ("photo", PNG)},
            )
            listed = client.get(
                "/uptake/v1/users/42/images", headers={"Authorization": f"Bearer {secret}"}
            )
            url = result.json()["response"]["imageURL"]
            assert url.startswith("https://data.example/uptake/images/")
            assert url == listed.json()["images"][0]["url"]
            path = urlsplit(url).path.removeprefix("/uptake")
            assert client.get(path).content == PNG
