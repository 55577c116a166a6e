"""Forms as browsers and old clients send them, and what is said of those that cannot be read."""

import base64
import binascii
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from contract.tenant import Tenant

CASES = Path(__file__).parents[2] / "cases" / "http"
HEAD = b'Content-Disposition: form-data; name="file"; filename="a.png"'
IMAGE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACAQAAAABazTCJAAAADElEQVR42mM4wMQAAAJIAMO+KgfVAAAAAElFTkSuQmCC"
)
"""Two by two pixels."""


def _post(
    tenant: Tenant, body: bytes, media_type: str = "multipart/form-data; boundary=b"
) -> httpx2.Response:
    return tenant.client.post(
        "/a/api/v2/users/7/images",
        params={"apiKey": tenant.secret},
        content=body,
        headers={"Content-Type": media_type},
    )


def _form(*parts: bytes, before: bytes = b"", after: bytes = b"\r\n") -> bytes:
    return before + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--" + after


FILE = HEAD + b"\r\n\r\n" + IMAGE
EMPTY = b'Content-Disposition: form-data; name="file"; filename=""\r\n\r\n'


def _encoded(name: bytes, content: bytes) -> bytes:
    return HEAD + b"\r\nContent-Transfer-Encoding: " + name + b"\r\n\r\n" + content


def _named(name: bytes) -> bytes:
    return FILE.replace(b"a.png", name)


ACCEPTED = {
    "plain": _form(FILE),
    "cp1252-name": _form(_named(b"caf\xe9.png")),
    "shift-jis-name": _form(_named("\u8868.png".encode("shift_jis"))),
    "utf-8-name": _form(_named("café.png".encode())),
    "name-of-any-bytes": _form(_named(bytes(b for b in range(1, 256) if b not in b'\r\n"\\'))),
    "name-with-quotes": _form(_named(b'a\\"b.png')),
    "name-in-rfc-8187": _form(FILE.replace(b'"a.png"', b"x; filename*=UTF-8''caf%e9.png")),
    "empty-second-file": _form(FILE, EMPTY),
    "empty-first-file": _form(EMPTY, FILE),
    "empty-files-around": _form(EMPTY, FILE, EMPTY),
    "base64": _form(_encoded(b"base64", base64.b64encode(IMAGE))),
    "base64-in-lines": _form(_encoded(b"BASE64", base64.encodebytes(IMAGE))),
    "base64-in-crlf-lines": _form(
        _encoded(b"base64", base64.encodebytes(IMAGE).replace(b"\n", b"\r\n"))
    ),
    "quoted-printable": _form(_encoded(b"quoted-printable", binascii.b2a_qp(IMAGE, istext=False))),
    "binary": _form(_encoded(b"binary", IMAGE)),
    "8bit": _form(_encoded(b"8bit", IMAGE)),
    "blanks-after-boundaries": _form(FILE)
    .replace(b"--b\r\n", b"--b \t \r\n")
    .replace(b"--b--", b"--b--  "),
    "preamble-and-epilogue": _form(FILE, before=b"Some text\r\n--bc\r\n", after=b"\r\nmore"),
    "nothing-after-the-end": _form(FILE, after=b""),
    "folded-header": _form(FILE.replace(b"; name", b";\r\n\t name")),
    "lower-case-header": _form(FILE.replace(b"Content-D", b"content-d")),
    "unquoted-name": _form(FILE.replace(b'"file"', b"file")),
    "more-headers": _form(FILE.replace(b"\r\n\r\n", b"\r\nX-A: b\r\nContent-Type: a/b\r\n\r\n", 1)),
    "other-parts": _form(b'Content-Disposition: form-data; name="a"\r\n\r\nb', FILE),
    "part-without-name": _form(b"Content-Type: text/plain\r\n\r\nb", FILE),
    "line-feeds-alone": b"--b\n" + HEAD + b"\n\n" + IMAGE.replace(b"\r\n", b"\r\n") + b"\n--b--\n",
    "content-like-a-boundary": _form(_encoded(b"binary", IMAGE + b"\r\n--bb--\r\n --b\n--b\r")),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_form_is_read_as_clients_send_it(tenant: Tenant, name: str) -> None:
    """Names of files are not looked at; encodings of parts are undone; padding is skipped."""
    answer = _post(tenant, ACCEPTED[name])
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["multipart-cp1252-filename", "multipart-empty-second-file"])
def test_forms_of_real_clients_are_read(tenant: Tenant, name: str) -> None:
    """As they were recorded."""
    assert _post(tenant, (CASES / f"{name}.body").read_bytes()).status_code == 200


def test_padded_gzip_of_a_real_client_is_read(tenant: Tenant) -> None:
    """Zero bytes after the member."""
    answer = tenant.client.post(
        "/api/v2.2/samples",
        content=(CASES / "gzip-zero-padded.body").read_bytes(),
        headers={"Authorization": f"Bearer {tenant.secret}", "Content-Encoding": "gzip"},
    )
    assert (answer.status_code, answer.json()["accepted"]) == (200, 3)


REJECTED: dict[str, tuple[bytes, str]] = {
    "no-boundary-in-the-body": (b"--other\r\n", "boundary"),
    "no-end": (_form(FILE).removesuffix(b"--b--\r\n"), "last boundary is missing"),
    "cut-in-the-content": (_form(FILE)[:-40], "last boundary is missing"),
    "no-file": (_form(FILE.replace(b"file", b"data")), "no part named file"),
    "two-files": (_form(FILE, FILE), "more than one part named file"),
    "only-an-empty-file": (_form(EMPTY), "empty"),
    "no-headers": (_form(b"\r\n" + IMAGE), "no headers"),
    "endless-headers": (_form(HEAD + b"\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"), "16 KiB"),
    "bad-base64": (_form(_encoded(b"base64", b"iVBOR***")), "base64"),
    "cut-base64": (_form(_encoded(b"base64", base64.b64encode(IMAGE)[:-3])), "base64"),
    "unknown-encoding": (_form(_encoded(b"x-uuencode", IMAGE)), "x-uuencode"),
    "parts-without-end": (_form(*[EMPTY] * 30), "20 parts"),
    "boundaries-alone": (b"--b" * 100_000, "boundary"),
    "empty": (b"", "boundary"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_the_reason_states_what_is_wrong_with_a_form(tenant: Tenant, name: str) -> None:
    """In the vendor's envelope, and in words of ours."""
    body, reason = REJECTED[name]
    error = _post(tenant, body).json()["response"]["error"]
    assert (error["httpStatusCode"], error["id"]) == (400, "1000")
    assert reason in error["message"]


@pytest.mark.parametrize(
    "media_type",
    [
        "multipart/form-data",
        "multipart/form-data;",
        "Multipart/Form-Data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; charset=utf-8",
    ],
)
def test_the_reason_names_a_missing_boundary(tenant: Tenant, media_type: str) -> None:
    """The usual mistake is to set the header by hand."""
    answer = _post(tenant, _form(FILE), media_type)
    assert answer.status_code == 400
    assert "has no boundary" in answer.json()["response"]["error"]["message"]


@pytest.mark.parametrize("boundary", ["a b", "'()+_,-./:=?", "x" * 200, "é"])
def test_a_boundary_may_be_any_text(tenant: Tenant, boundary: str) -> None:
    """In quotes, as it must be then."""
    raw = boundary.encode("latin-1")
    encode: Callable[[bytes], bytes] = lambda body: body.replace(b"--b", b"--" + raw)  # noqa: E731
    answer = tenant.client.post(
        "/a/api/v2/users/7/images",
        params={"apiKey": tenant.secret},
        content=encode(_form(FILE)),
        headers={b"Content-Type": b'multipart/form-data; boundary="' + raw + b'"'},
    )
    assert answer.status_code == 200, answer.text
