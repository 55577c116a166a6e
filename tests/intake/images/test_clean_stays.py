"""Pictures with nothing to take out come back as they were sent."""

import pytest
from PIL import Image

from uptake.intake.images import clean

from .pictures import FORMATS, animated, drawn, encoded, frame_count, jpeg_with, opened, segment

_NAMES = {
    "JPEG": ("image/jpeg", "jpg"),
    "PNG": ("image/png", "png"),
    "GIF": ("image/gif", "gif"),
    "WEBP": ("image/webp", "webp"),
}
_CLEAN = {
    **{kind: encoded(drawn(), kind) for kind in ("JPEG", "PNG", "WEBP")},
    "grey JPEG": encoded(drawn().convert("L"), "JPEG"),
    "CMYK JPEG": encoded(drawn().convert("CMYK"), "JPEG"),
    "JPEG with restarts": encoded(drawn(), "JPEG", restart_marker_blocks=1),
    "palette PNG": encoded(drawn().convert("P"), "PNG", transparency=0),
    "lossless WebP": encoded(drawn(), "WEBP", lossless=True),
    "WebP with alpha": encoded(drawn().convert("RGBA").rotate(5), "WEBP"),
    "animated WebP": animated("WEBP"),
    "APNG": animated("PNG"),
    "APNG with a default image": animated("PNG", default_image=True),
}


@pytest.mark.parametrize("name", _CLEAN)
def test_a_clean_picture_is_byte_identical(name: str) -> None:
    """Nothing to take out means the very same bytes, so the hash of the file holds."""
    assert clean(_CLEAN[name]).content == _CLEAN[name]


_REWRITTEN = {
    "GIF": encoded(drawn(), "GIF"),
    "animated GIF": animated("GIF"),
    "interlaced GIF": encoded(drawn(), "GIF", interlace=1),
    "progressive JPEG": encoded(drawn(), "JPEG", progressive=True),
    "JPEG with fill bytes": jpeg_with(b"\xff\xff\xff"),
    "JPEG with density": encoded(drawn(), "JPEG", dpi=(300, 300)),
    "PNG with density": encoded(drawn(), "PNG", dpi=(72, 72)),
    "PNG of sixteen bits": encoded(drawn().convert("I;16"), "PNG"),
}


@pytest.mark.parametrize("name", _REWRITTEN)
def test_a_rewritten_picture_has_the_same_pixels(name: str) -> None:
    """Encodings with alternatives are normalized; frames and their durations are unchanged."""
    before, after = opened(_REWRITTEN[name]), opened(clean(_REWRITTEN[name]).content)
    assert frame_count(clean(_REWRITTEN[name]).content) == frame_count(_REWRITTEN[name])
    for frame in range(frame_count(_REWRITTEN[name])):
        before.seek(frame)
        after.seek(frame)
        assert before.info.get("duration") == after.info.get("duration")
        assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_the_format_and_the_size_are_returned(kind: str) -> None:
    """Media type, extension and pixels come from the content."""
    image = clean(encoded(drawn(97, 31), kind))
    assert (image.media_type, image.extension) == _NAMES[kind]
    assert (image.width, image.height) == (97, 31)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_with_appended_bytes_keeps_its_frames(kind: str) -> None:
    """Cutting after the end takes no frame along."""
    image = clean(animated(kind) + b"appended")
    assert image == clean(animated(kind))
    assert frame_count(image.content) == frame_count(animated(kind)) == 3


def test_a_loop_count_is_preserved() -> None:
    """A GIF that loops for ever still does; Netscape's unused buffer size is removed."""
    source = animated("GIF")
    assert opened(clean(source).content).info["loop"] == 0
    loop = b"NETSCAPE2.0\x03\x01\0\0"
    assert loop in source
    buffered = source.replace(loop, loop + b"\x05\x02\0\0\1\0")
    assert clean(buffered) == clean(source)


def test_an_orientation_of_upright_is_not_decoded() -> None:
    """With orientation 1 the scan data are the very bytes that were sent."""
    data = Image.Exif()
    data[0x0112] = 1
    assert clean(encoded(drawn(), "JPEG", exif=data)).content == encoded(drawn(), "JPEG")


def test_an_adobe_header_is_preserved() -> None:
    """Without its APP14 segment a CMYK or RGB JPEG would show wrong colours."""
    source = encoded(drawn().convert("CMYK"), "JPEG")
    assert b"Adobe" in source
    assert b"Adobe" in clean(jpeg_with(segment(0xFE, b"x"), source=source)).content
