"""Turns the few pictures upright whose EXIF data asked for it, by decoding and encoding again."""

import io
import threading
from typing import Any, Final, NamedTuple

from PIL import Image, JpegImagePlugin

from uptake.intake.images.png import with_colour_of
from uptake.intake.images.verdict import MAX_PIXELS, Kind, Stripped, UnusableImage

# Turning was measured to take 10 bytes per pixel for JPEG, 8 for PNG, 16 for WebP and 26 for
# lossless WebP, which is 2.3 GB at the pixel limit: one at a time bounds the whole process.
_ONE_DECODE: Final = threading.Lock()

# CIPA DC-008 4.6.4, Orientation.
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_QUARTERS: Final = frozenset(_TURNS[orientation] for orientation in (5, 6, 7, 8))

_QUALITY: Final = 95

# What JpegImagePlugin.get_sampling answers and its encoder takes.
_UNKNOWN_CHROMA: Final = -1
_FULL_CHROMA: Final = 0
_HALF_WIDTH_CHROMA: Final = 1

_APNG_MODES: Final = frozenset({"L", "LA", "RGB", "RGBA"})


class _Decoded(NamedTuple):
    """The turned frames, their milliseconds each, and what Pillow read besides."""

    frames: list[Image.Image]
    durations: list[float]
    info: dict[str | tuple[int, int], Any]
    chroma: int


def turned_upright(picture: Stripped, kind: Kind) -> bytes:
    """The picture turned as its orientation, 2 to 8, says, in the same format.

    PNG and lossless WebP stay exact, except that 16-bit colour PNG becomes 8-bit, which is
    all Pillow decodes; the others are encoded at quality 95.  An animation is turned frame
    by frame, and only if its frames together stay within the pixel limit.  The ICC profile
    is kept.  One call at a time does its work, the others wait.
    Raises UnusableImage, "not_an_image" when the picture cannot be decoded or
    "too_many_pixels", and MemoryError, which says nothing about the picture.
    """
    if picture.frames * picture.width * picture.height > MAX_PIXELS:
        raise UnusableImage(
            "too_many_pixels",
            f"The {picture.frames} frames of the animation, which has to be turned upright,"
            f" have more than {MAX_PIXELS:,} pixels together.",
        )
    with _ONE_DECODE:
        try:
            return _turned(picture, kind)
        except MemoryError:
            raise
        # Pillow raises whatever its parsers meet: OSError, SyntaxError, EOFError, ValueError...
        except Exception as error:
            raise UnusableImage(
                "not_an_image", "The file is not a usable image: it cannot be decoded."
            ) from error


def _turned(picture: Stripped, kind: Kind) -> bytes:
    out = io.BytesIO()
    decoded = _decoded(picture, kind)
    if kind == "jpeg":
        _save_jpeg(decoded, out)
    elif kind == "png":
        _save_png(decoded, out)
        return with_colour_of(picture.content, out.getvalue())
    else:
        _save_webp(decoded, out, lossless=picture.lossless)
    return out.getvalue()


def _decoded(picture: Stripped, kind: Kind) -> _Decoded:
    turn = _TURNS[picture.orientation]
    frames: list[Image.Image] = []
    durations: list[float] = []
    # The stripped bytes are opened, so no metadata can reach the file written from them; and
    # the decoder, which holds canvases of its own, is gone before the encoder needs memory.
    with Image.open(io.BytesIO(picture.content), formats=(kind.upper(),)) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(image.transpose(turn))
            durations.append(image.info.get("duration", 0))
        return _Decoded(frames, durations, dict(image.info), _chroma(image, turn))


def _chroma(image: Image.Image, turn: Image.Transpose) -> int:
    chroma: int = JpegImagePlugin.get_sampling(image)
    # Turned by a quarter, 4:2:2 is 4:4:0, which Pillow can neither write nor name.
    if chroma == _UNKNOWN_CHROMA or (chroma == _HALF_WIDTH_CHROMA and turn in _QUARTERS):
        return _FULL_CHROMA
    return chroma


def _save_jpeg(decoded: _Decoded, out: io.BytesIO) -> None:
    # Not progressive, even if it was: that would hold every coefficient in memory at once.
    decoded.frames[0].save(
        out,
        "JPEG",
        quality=_QUALITY,
        subsampling=decoded.chroma,
        icc_profile=decoded.info.get("icc_profile"),
    )


def _save_png(decoded: _Decoded, out: io.BytesIO) -> None:
    if len(decoded.frames) == 1:
        decoded.frames[0].save(out, "PNG", icc_profile=None)
        return
    # A picture shown only where animations are not has no duration.
    has_default = bool(decoded.info.get("default_image"))
    first, *others = (_without_palette(frame) for frame in decoded.frames)
    first.save(
        out,
        "PNG",
        save_all=True,
        append_images=others,
        default_image=has_default,
        duration=decoded.durations[1:] if has_default else decoded.durations,
        loop=decoded.info.get("loop", 0),
        disposal=0,
        blend=0,
        icc_profile=None,
    )


def _without_palette(frame: Image.Image) -> Image.Image:
    # Frames are written as whole pictures, which a palette of the first one may not hold.
    if frame.mode in _APNG_MODES and "transparency" not in frame.info:
        return frame
    return frame.convert("RGBA")


def _save_webp(decoded: _Decoded, out: io.BytesIO, *, lossless: bool) -> None:
    first, *others = decoded.frames
    first.save(
        out,
        "WEBP",
        save_all=bool(others),
        append_images=others,
        duration=decoded.durations,
        loop=decoded.info.get("loop", 0),
        background=decoded.info.get("background", (0, 0, 0, 0)),
        lossless=lossless,
        exact=lossless,
        quality=_QUALITY,
        icc_profile=decoded.info.get("icc_profile"),
    )
