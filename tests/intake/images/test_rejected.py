"""Files that are no usable picture are rejected with the reason."""

import struct
import time

import pytest

from uptake.intake.images import MAX_PIXELS, UnusableImage, clean, examine

from .pictures import (
    FORMATS,
    animated,
    chunk,
    drawn,
    encoded,
    exif,
    opened,
    riff,
    riff_chunk,
    segment,
)

_JPEG = encoded(drawn(), "JPEG")
_PNG = encoded(drawn(), "PNG")
_GIF = encoded(drawn(), "GIF")


def _frame_header(width: int, height: int) -> bytes:
    return segment(0xC0, b"\x08" + struct.pack(">HH", height, width) + b"\1\1\x11\0")


def _png_header(width: int, height: int) -> bytes:
    return _PNG[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


_BOMBS = {
    "JPEG": b"\xff\xd8" + _frame_header(50_000, 50_000),
    "PNG": _png_header(50_000, 50_000),
    "GIF": b"GIF89a" + struct.pack("<HHBBB", 50_000, 50_000, 0, 0, 0),
    "GIF frame": b"GIF89a"
    + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    + struct.pack("<BHHHHB", 0x2C, 0, 0, 50_000, 50_000, 0),
    "WebP": riff(riff_chunk(b"VP8X", b"\0" * 4 + (49_999).to_bytes(3, "little") * 2)),
    "lossy WebP": riff(riff_chunk(b"VP8 ", b"\0\0\0\x9d\x01\x2a\xff\x3f\xff\x3f")),
    "lossless WebP": riff(riff_chunk(b"VP8L", b"\x2f\xff\xff\xff\x0f")),
}
_WHOLE = {
    **{kind: encoded(drawn(), kind) for kind in FORMATS},
    "JPEG with EXIF": encoded(drawn(), "JPEG", exif=exif(6)),
    "progressive JPEG": encoded(drawn(), "JPEG", progressive=True),
    "lossless WebP": encoded(drawn(), "WEBP", lossless=True),
    "WebP with EXIF": encoded(drawn(), "WEBP", exif=exif(6)),
    "PNG with EXIF": encoded(drawn(), "PNG", exif=exif(6)),
    "animated GIF": animated("GIF"),
    "animated WebP": animated("WEBP"),
    "APNG": animated("PNG"),
}
_OTHERS = {
    "BMP": encoded(drawn(), "BMP"),
    "TIFF": encoded(drawn(), "TIFF"),
    "ICO": encoded(drawn(), "ICO"),
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "HTML": b"<!doctype html><title>GIF89a</title>",
    "zeros": bytes(1000),
    "WAVE": b"RIFF\x24\0\0\0WAVEfmt ",
    "a JPEG after a newline": b"\n" + _JPEG,
}
_BROKEN = {
    "JPEG without a frame": b"\xff\xd8\xff\xd9",
    "JPEG without a scan": b"\xff\xd8" + _frame_header(8, 8) + b"\xff\xd9",
    "JPEG without height": _JPEG.replace(b"\xff\xc0\0\x11\x08\0\x40", b"\xff\xc0\0\x11\x08\0\0"),
    "JPEG with two frames": b"\xff\xd8" + _frame_header(8, 8) * 2 + b"\xff\xd9",
    "JPEG within a JPEG": b"\xff\xd8" + _JPEG,
    "JPEG with a short frame": b"\xff\xd8" + segment(0xC0, b"\x08\0\1") + b"\xff\xd9",
    "JPEG with a length of one": b"\xff\xd8\xff\xe0\0\1" + _JPEG[2:],
    "JPEG with the scan first": b"\xff\xd8" + segment(0xDA, b"\1\1\0\0\x3f\0") + b"\xff\xd9",
    "PNG without pixels": _png_header(8, 8) + chunk(b"IEND", b""),
    "PNG without width": _png_header(0, 8) + _PNG[33:],
    "PNG with two headers": _PNG[:33] + _PNG[8:],
    "PNG without a header": _PNG[:8] + _PNG[33:],
    "PNG with a long header": _PNG[:8] + chunk(b"IHDR", _PNG[16:29] + b"\0") + _PNG[33:],
    "GIF without an image": b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + b";",
    "GIF without width": _GIF[:6] + b"\0\0" + _GIF[8:],
    "GIF with an unknown block": _GIF[:-1] + b"\x77;",
    "WebP without chunks": riff(),
    "WebP without a picture": riff(riff_chunk(b"VP8X", bytes(10))),
    "WebP with a broken header": riff(riff_chunk(b"VP8L", b"\0" * 8)),
    "WebP with a headless frame": riff(riff_chunk(b"ANMF", b"\0" * 8)),
}
_TIRING = {
    "JPEG segments": b"\xff\xd8" + segment(0xFE, b"") * 5_000_000,
    "JPEG restarts": b"\xff\xd8" + b"\xff\xd0" * 10_000_000,
    "JPEG fill bytes": b"\xff\xd8" + b"\xff" * 20_000_000 + b"\0",
    "JPEG scans": b"\xff\xd8" + _frame_header(8, 8) + segment(0xDA, b"") * 5_000_000,
    "PNG chunks": _PNG[:33] + chunk(b"IDAT", b"") * 1_700_000,
    "GIF sub-blocks": _GIF[:-1] + b"\x21\xfe" + b"\1x" * 10_000_000,
    "GIF blocks": _GIF[:-1] + b"\x21\xfe\0" * 6_000_000,
    "WebP chunks": riff(riff_chunk(b"ABCD", b"") * 2_500_000),
}


def _code(content: bytes) -> str:
    with pytest.raises(UnusableImage) as rejection:
        clean(content)
    assert rejection.value.message.endswith(".")
    assert str(rejection.value) == rejection.value.message
    return rejection.value.code


def test_an_empty_file_is_called_empty() -> None:
    """No bytes at all has a rejection of its own."""
    assert _code(b"") == "empty"


@pytest.mark.parametrize("name", _OTHERS)
def test_other_formats_are_no_image(name: str) -> None:
    """Only the four formats are accepted, and only by how they start."""
    assert _code(_OTHERS[name]) == "not_an_image"


@pytest.mark.parametrize("name", _BROKEN)
def test_a_broken_structure_is_no_image(name: str) -> None:
    """A file that is all there but shows nothing is not called cut off."""
    assert _code(_BROKEN[name]) == "not_an_image"


@pytest.mark.parametrize("name", _BOMBS)
def test_a_bomb_is_rejected_from_its_header(name: str) -> None:
    """A few bytes claiming billions of pixels are rejected before anything is decoded."""
    assert _code(_BOMBS[name]) == "too_many_pixels"


def test_the_pixel_limit_itself_is_accepted() -> None:
    """The limit is the largest accepted number of pixels, not the smallest rejected."""
    assert examine(_png_header(MAX_PIXELS, 1) + _PNG[33:]).work > MAX_PIXELS
    assert _code(_png_header(MAX_PIXELS + 1, 1) + _PNG[33:]) == "too_many_pixels"


@pytest.mark.parametrize("name", _WHOLE)
def test_a_file_cut_off_anywhere_is_called_truncated(name: str) -> None:
    """Unless all that shows the picture is there: then it is the same picture."""
    whole = _WHOLE[name]
    picture = opened(clean(whole).content).tobytes()
    for length in range(1, len(whole)):
        code, pixels = _outcome(whole[:length])
        if code is None:
            # A GIF does not contain the number of its pictures.
            assert length > len(whole) - 22 or name == "animated GIF"
        assert (code, pixels) in {("truncated", b""), (None, picture)}, length


def _outcome(content: bytes) -> tuple[str | None, bytes]:
    try:
        return None, opened(clean(content).content).tobytes()
    except UnusableImage as error:
        return error.code, b""


def test_a_wrong_checksum_is_called_damaged() -> None:
    """The message for a PNG with a flipped bit is that it is damaged."""
    broken = bytearray(_PNG)
    broken[50] ^= 1
    with pytest.raises(UnusableImage, match="damaged") as rejection:
        clean(bytes(broken))
    assert rejection.value.code == "truncated"


@pytest.mark.parametrize("name", _TIRING)
def test_a_file_of_tiny_parts_is_rejected_soon(name: str) -> None:
    """Twenty megabytes of the smallest possible parts do not keep the server busy."""
    start = time.perf_counter()
    assert _code(_TIRING[name]) in {"not_an_image", "truncated"}
    assert time.perf_counter() - start < 10
