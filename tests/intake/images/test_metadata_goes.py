"""Positions, comments and everything else that shows no picture is taken out."""

import io
from typing import Any

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from uptake.intake.images import clean

from .pictures import (
    FORMATS,
    SECRET,
    animated,
    chunk,
    difference,
    drawn,
    encoded,
    exif,
    extension,
    frame_count,
    jpeg_with,
    opened,
    png_with,
    riff,
    riff_chunk,
    segment,
)

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_XMP = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"
_GIF = encoded(drawn(), "GIF")
_WEBP = encoded(drawn(), "WEBP")
_PROGRESSIVE = encoded(drawn(), "JPEG", progressive=True)
_SECOND_SCAN = _PROGRESSIVE.index(b"\xff\xda", _PROGRESSIVE.index(b"\xff\xda") + 2)


def _webp_frame_with(inner: bytes) -> bytes:
    source = animated("WEBP")
    start = source.index(b"ANMF")
    length = int.from_bytes(source[start + 4 : start + 8], "little")
    end = start + 8 + length
    frame = riff_chunk(b"ANMF", source[start + 8 : end] + inner)
    return riff(source[12:start], frame, source[end + length % 2 :])


_DIRTY = {
    "JPEG EXIF": encoded(drawn(), "JPEG", exif=exif()),
    "JPEG XMP": jpeg_with(segment(0xE1, _XMP)),
    "JPEG comment": encoded(drawn(), "JPEG", comment=SECRET),
    "JPEG Photoshop": jpeg_with(segment(0xED, b"Photoshop 3.0\0" + SECRET)),
    "JPEG thumbnail": jpeg_with(segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\x03\x03" + SECRET + b"1234")),
    "JPEG JFXX": jpeg_with(segment(0xE0, b"JFXX\0\x10" + SECRET)),
    "JPEG long Adobe": jpeg_with(segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + SECRET)),
    "JPEG appended": encoded(drawn(), "JPEG") + SECRET,
    "JPEG second picture": encoded(drawn(), "JPEG") + encoded(drawn(), "JPEG", exif=exif()),
    "JPEG between scans": _PROGRESSIVE[:_SECOND_SCAN]
    + segment(0xFE, SECRET)
    + segment(0xE1, b"Exif\0\0" + SECRET)
    + _PROGRESSIVE[_SECOND_SCAN:],
    "PNG eXIf": encoded(drawn(), "PNG", exif=exif()),
    "PNG tEXt": png_with(chunk(b"tEXt", b"Comment\0" + SECRET)),
    "PNG iTXt": png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + SECRET)),
    "PNG zTXt": png_with(chunk(b"zTXt", b"Comment\0\0" + SECRET)),
    "PNG tIME": png_with(chunk(b"tIME", SECRET[:7])),
    "PNG private": png_with(chunk(b"seCr", SECRET)),
    "PNG long gAMA": png_with(chunk(b"gAMA", SECRET)),
    "PNG long IEND": encoded(drawn(), "PNG")[:-12] + chunk(b"IEND", SECRET),
    "PNG appended": encoded(drawn(), "PNG") + SECRET,
    "APNG tEXt": png_with(chunk(b"tEXt", b"a\0" + SECRET), source=animated("PNG")),
    "GIF comment": encoded(drawn(), "GIF", comment=SECRET),
    "GIF XMP": _GIF[:-1] + extension(0xFF, b"XMP DataXMP", SECRET) + b";",
    "GIF text": _GIF[:-1] + extension(0x01, b"\0" * 12, SECRET) + b";",
    "GIF unknown": _GIF[:-1] + extension(0xCE, SECRET) + b";",
    "GIF loop with more": _GIF[:-1] + extension(0xFF, b"NETSCAPE2.0", b"\1\0\0", SECRET) + b";",
    "GIF long control": _GIF[:-1] + extension(0xF9, b"\0\0\0\0" + SECRET) + b";",
    "GIF appended": _GIF + SECRET,
    "animated GIF comment": animated("GIF", comment=SECRET),
    "WebP EXIF": encoded(drawn(), "WEBP", exif=exif()),
    "WebP XMP": encoded(drawn(), "WEBP", xmp=SECRET),
    "WebP unknown": riff(_WEBP[12:], riff_chunk(b"SECR", SECRET)),
    "WebP appended": _WEBP + SECRET,
    "animated WebP EXIF": animated("WEBP", exif=exif()),
    "animated WebP frame": _webp_frame_with(riff_chunk(b"SECR", SECRET)),
}


_NOT_FOR_PILLOW = {
    "second picture index": segment(0xE2, b"MPF\0" + SECRET),
    "reserved segment": segment(0xF0, SECRET),
    "stray bytes": SECRET,
}


@pytest.mark.parametrize("name", _DIRTY)
def test_what_is_private_goes_and_the_picture_stays(name: str) -> None:
    """The bytes are gone, each pixel of each frame is the same, and cleaning is finished."""
    source = _DIRTY[name]
    assert SECRET[:7] in source
    content = clean(source).content
    assert SECRET[:7] not in content
    for marker in (b"Exif", b"eXIf", b"EXIF"):
        assert marker not in content
    assert clean(content).content == content
    before, after = opened(source), opened(content)
    assert not after.getexif()
    assert "xmp" not in after.info
    if "second picture" not in name:
        assert frame_count(content) == frame_count(source)
    for frame in range(frame_count(content)):
        before.seek(frame)
        after.seek(frame)
        assert difference(before, after) == 0


@pytest.mark.parametrize("name", _NOT_FOR_PILLOW)
def test_what_pillow_stumbles_over_goes_as_well(name: str) -> None:
    """Segments that keep Pillow from reading a JPEG quietly leave the clean file behind."""
    assert clean(jpeg_with(_NOT_FOR_PILLOW[name])).content == encoded(drawn(), "JPEG")


@pytest.mark.parametrize("kind", FORMATS)
def test_positions_leave_no_tag_behind(kind: str) -> None:
    """The GPS directory cannot be read from any format, once cleaned."""
    content = clean(encoded(drawn(), kind, exif=exif())).content
    assert not opened(content).getexif().get_ifd(0x8825)


def _as_lab(picture: Image.Image, profile: bytes | None = None) -> bytes:
    """The pixels in a colour space of no device, by the picture's profile or another."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile or picture.info["icc_profile"]))
    lab = ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(picture, source, lab, outputMode="LAB")
    assert converted is not None
    return converted.tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [None, 6])
def test_a_colour_profile_is_preserved(kind: str, orientation: int | None) -> None:
    """The colours are the same, whether the picture is rotated or not."""
    options: dict[str, Any] = {"exif": exif(orientation), "icc_profile": _SRGB}
    image = clean(encoded(drawn(), kind, **options))
    assert _as_lab(opened(image.content)) == _as_lab(opened(image.content), _SRGB)


def test_webp_no_longer_promises_metadata() -> None:
    """The flags for EXIF and XMP fall with the chunks, and the RIFF length is right."""
    source = encoded(drawn(), "WEBP", exif=exif(), xmp=SECRET, icc_profile=_SRGB)
    content = clean(source).content
    assert source[20] & 0x0C == 0x0C
    assert content[20] == source[20] & ~0x0C
    assert int.from_bytes(content[4:8], "little") + 8 == len(content)


def test_a_text_in_a_gif_takes_its_control_along() -> None:
    """The delay of a text that goes does not become the delay of the next image."""
    control = extension(0xF9, b"\0\x77\x77\0")
    start = 13 + 3 * 2 ** ((_GIF[10] & 7) + 1)
    text = control + extension(0x01, b"\0" * 12, SECRET)
    assert clean(_GIF[:start] + text + _GIF[start:]) == clean(_GIF)


def test_compressed_text_of_png_goes() -> None:
    """Text that Pillow itself wrote, compressed, leaves a file equal to one without it."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Location", SECRET.decode(), zip=True)
    assert clean(encoded(drawn(), "PNG", pnginfo=text)).content == encoded(drawn(), "PNG")
