"""Pictures with an EXIF orientation look the same after the metadata is removed."""

import struct

import pytest
from PIL import Image, ImageOps

from uptake.intake.images import UnusableImage, clean

from .pictures import (
    SECRET,
    animated,
    chunk,
    difference,
    drawn,
    encoded,
    exif,
    frame_count,
    jpeg_with,
    opened,
    png_with,
    segment,
)

_TURNED = range(2, 9)
_QUARTER = 5
_GAMMA = struct.pack(">I", 45455)


def _shown(source: bytes) -> Image.Image:
    return ImageOps.exif_transpose(opened(source))


def _tiff(order: str, kind: int, value: int) -> bytes:
    mark = b"MM\0*" if order == ">" else b"II*\0"
    stored = struct.pack(
        order + ("HH" if kind == 3 else "I"), *((value, 0) if kind == 3 else (value,))
    )
    entry = struct.pack(order + "HHI", 0x0112, kind, 1) + stored
    return mark + struct.pack(order + "IH", 8, 1) + entry + b"\0" * 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", _TURNED)
def test_each_orientation_is_shown_upright(kind: str, orientation: int) -> None:
    """Pixels and size are those of the picture as a viewer would have turned it."""
    source = encoded(drawn(), kind, exif=exif(orientation))
    image = clean(source)
    assert (image.width, image.height) == ((64, 96) if orientation >= _QUARTER else (96, 64))
    after = opened(image.content)
    assert after.size == (image.width, image.height)
    assert difference(after, _shown(source)) < 3
    assert SECRET not in image.content
    assert not after.getexif()
    assert clean(image.content).content == image.content == clean(source).content


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_turned_png_stays_exact(mode: str) -> None:
    """PNG loses nothing by being turned, whatever its pixels are made of."""
    picture = drawn().convert("I").convert(mode) if mode == "I;16" else drawn().convert(mode)
    source = encoded(picture, "PNG", exif=exif(6))
    after = opened(clean(source).content)
    assert after.mode == opened(source).mode
    assert after.tobytes() == _shown(source).tobytes()


def test_a_turned_png_keeps_what_its_colours_mean() -> None:
    """Chunks about colour, which Pillow does not write, are carried over."""
    source = encoded(drawn(), "PNG", exif=exif(6))
    gamma = chunk(b"gAMA", _GAMMA)
    assert gamma in clean(source[:33] + gamma + source[33:]).content


def test_a_turned_lossless_webp_stays_exact() -> None:
    """WebP without loss is written without loss again, under transparent pixels too."""
    picture = drawn().convert("RGBA")
    picture.putalpha(0)
    source = encoded(picture, "WEBP", lossless=True, exact=True, exif=exif(6))
    assert opened(clean(source).content).tobytes() == _shown(source).tobytes()


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_jpeg_keeps_its_colour_model(mode: str) -> None:
    """Grey stays grey, and CMYK is not inverted on the way."""
    source = encoded(drawn().convert(mode), "JPEG", quality=95, exif=exif(6))
    after = opened(clean(source).content)
    assert after.mode == mode
    assert difference(after, _shown(source)) < 3


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_progressive_jpeg_is_turned(subsampling: int) -> None:
    """Progressive files with any chroma subsampling come out upright."""
    source = encoded(
        drawn(), "JPEG", progressive=True, subsampling=subsampling, exif=exif(8), quality=95
    )
    assert difference(opened(clean(source).content), _shown(source)) < 3


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("default_image", [False, True])
def test_an_animation_is_turned_frame_by_frame(kind: str, default_image: bool) -> None:
    """Every frame is upright, and each is shown for as long as before."""
    options = {"default_image": default_image} if kind == "PNG" else {}
    source = animated(kind, exif=exif(6), **options)
    image = clean(source)
    before, after = opened(source), opened(image.content)
    assert frame_count(image.content) == frame_count(source) == 3
    assert (image.width, image.height) == (64, 96)
    for frame in range(3):
        before.seek(frame)
        after.seek(frame)
        upright = before.transpose(Image.Transpose.ROTATE_270)
        assert difference(after, upright) < 3
        assert after.info.get("duration") == before.info.get("duration")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_the_tag_is_read_in_either_byte_order_and_length(order: str, kind: int) -> None:
    """Cameras write both byte orders, and some write a long where a short belongs."""
    assert clean(jpeg_with(segment(0xE1, b"Exif\0\0" + _tiff(order, kind, 6)))).width == 64


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"II",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"XX*\0\0\0\0\x08",
        _tiff(">", 3, 9),
        _tiff(">", 3, 0),
        _tiff(">", 2, 6),
        _tiff(">", 3, 6)[:-7],
    ],
)
def test_broken_exif_means_upright(broken: bytes) -> None:
    """A picture is not rejected, nor turned, over EXIF data that cannot be read."""
    plain = encoded(drawn(), "JPEG")
    assert clean(jpeg_with(segment(0xE1, b"Exif\0\0" + broken))).content == plain
    png = encoded(drawn(), "PNG")
    assert clean(png_with(chunk(b"eXIf", broken))).content == png


def test_a_picture_that_cannot_be_decoded_is_rejected() -> None:
    """Rotation decodes the pixels; if they are damaged, that is the reason of the rejection."""
    source = encoded(drawn(), "PNG", exif=exif(6))
    start = source.index(b"IDAT") - 4
    with pytest.raises(UnusableImage) as rejection:
        clean(source[:start] + chunk(b"IDAT", b"not deflated") + chunk(b"IEND", b""))
    assert rejection.value.code == "not_an_image"


def test_an_animation_too_large_to_turn_is_rejected() -> None:
    """All frames of an animation that has to be turned share the pixel limit."""
    source = animated("PNG", exif=exif(6))
    wide = struct.pack(">II", 9_000, 9_000) + source[24:29]
    with pytest.raises(UnusableImage) as rejection:
        clean(source[:8] + chunk(b"IHDR", wide) + source[33:])
    assert rejection.value.code == "too_many_pixels"
