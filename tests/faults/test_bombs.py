"""Small uploads that claim or become something huge."""

import gzip
import io
import struct
import time
import zlib
from typing import Any

import httpx2
import pytest
from PIL import Image

from uptake.testing.live import LiveServer

from .pictures import chunk

pytestmark = pytest.mark.usefixtures("served_throughout")

SECONDS = 10.0
MIB = 1024 * 1024
SIDE = 50_000


def _post(live: LiveServer, path: str, headers: dict[str, str], body: bytes) -> httpx2.Response:
    """The answer, which came quickly."""
    started = time.monotonic()
    answer = httpx2.post(live.url + path, content=body, headers=headers, timeout=60)
    assert time.monotonic() - started < SECONDS
    return answer


@pytest.mark.parametrize(
    ("path", "header", "names"),
    [
        ("/v1/user-data/diary", "x-api-key", {"detail"}),
        ("/v1/user/profiles", "authorization", {"msg", "timestamp"}),
        ("/a/api/v2/users/1/images", "api-key", {"response"}),
        ("/api/v2.2/samples", "authorization", {"code", "message"}),
    ],
)
def test_a_gzip_bomb_is_413_in_the_vendors_envelope(
    live: LiveServer, key: str, path: str, header: str, names: set[str]
) -> None:
    """A quarter of a megabyte that becomes 256; the limit counts what it becomes."""
    bomb = gzip.compress(b" " * (256 * MIB), compresslevel=6)
    assert len(bomb) < MIB
    secret = f"Bearer {key}" if header == "authorization" else key
    answer = _post(live, path, {header: secret, "Content-Encoding": "gzip"}, bomb)
    assert answer.status_code == 413
    assert names == set(answer.json())


def test_a_gzip_body_of_countless_members_is_rejected(live: LiveServer, key: str) -> None:
    """Although valid: to decompress them would cost far more than to send them."""
    body = b'{"field_name": ["user_id"], "values": [["countless"]]}'
    content = gzip.compress(b" ") * 2000 + gzip.compress(body)
    headers = {"Authorization": f"Bearer {key}", "Content-Encoding": "gzip"}
    assert _post(live, "/v1/user/profiles", headers, content).status_code == 400


def test_a_gzip_body_of_some_members_is_read(live: LiveServer, key: str) -> None:
    """As RFC 1952 has it, and as programs that compress in blocks make it."""
    body = b'{"field_name": ["user_id"], "values": [["members"]]}'
    content = b"".join(gzip.compress(body[i : i + 1]) for i in range(len(body)))
    headers = {"Authorization": f"Bearer {key}", "Content-Encoding": "gzip"}
    assert _post(live, "/v1/user/profiles", headers, content).status_code == 200


def _drawn(kind: str) -> bytearray:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (9, 99, 200)).save(out, kind)
    return bytearray(out.getvalue())


def _png() -> bytes:
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * (SIDE * 30))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    )


def _gif() -> bytes:
    content = _drawn("GIF")
    content[6:10] = struct.pack("<HH", SIDE, SIDE)
    return bytes(content)


def _jpeg() -> bytes:
    content = _drawn("JPEG")
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", SIDE, SIDE)
    return bytes(content)


def _webp() -> bytes:
    """The extended form has the size of the canvas, in 24 bits, less one."""
    side = (SIDE - 1).to_bytes(3, "little")
    picture = bytes(_drawn("WEBP"))[12:]
    extended = b"VP8X" + (10).to_bytes(4, "little") + b"\0\0\0\0" + side + side
    body = b"WEBP" + extended + picture
    return b"RIFF" + len(body).to_bytes(4, "little") + body


@pytest.mark.parametrize(
    "content", [_png(), _gif(), _jpeg(), _webp()], ids=["png", "gif", "jpeg", "webp"]
)
def test_a_tiny_file_that_claims_a_huge_picture_is_400(
    live: LiveServer, key: str, content: bytes
) -> None:
    """50,000 by 50,000 pixels: the message is that they are too many."""
    started = time.monotonic()
    answer = httpx2.post(
        f"{live.url}/a/api/v2/users/66/images",
        params={"apiKey": key},
        files={"file": ("x", content)},
        timeout=60,
    )
    assert time.monotonic() - started < SECONDS
    error: dict[str, Any] = answer.json()["response"]["error"]
    assert (answer.status_code, error["name"], error["id"]) == (400, "BAD_REQUEST", "1000")
    assert "pixels" in error["message"]
    assert str(SIDE) in error["message"]
    assert (
        httpx2.get(
            f"{live.url}/uptake/v1/users/66", headers={"Authorization": f"Bearer {key}"}
        ).status_code
        == 404
    )
