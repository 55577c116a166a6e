"""Decodes and encodes images that have to be turned upright or repaired."""

import io
from typing import Any, Final, NamedTuple

from PIL import Image, JpegImagePlugin

from uptake.intake.images.png import with_colour_of
from uptake.intake.images.stripped import MAX_PIXELS, Kind, Stripped, UnusableImage

# Nanoseconds a pixel to decode, turn and encode, where checking one of JPEG's takes one to eight.
WORK: Final[dict[Kind, int]] = {"jpeg": 12, "png": 180, "gif": 0, "webp": 150}

MAX_TURNED: Final[dict[Kind, int]] = {
    "jpeg": MAX_PIXELS,
    "png": MAX_PIXELS // 4,
    "gif": MAX_PIXELS,
    "webp": MAX_PIXELS // 4,
}
"""Pixels of all frames of a picture that has to be turned.  Compressing PNG and WebP is slow: these
take four seconds, and a gigabyte of memory at most."""

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

# Lossless WebP in a twentieth of the time, PNG in a third, for files that are a tenth larger.
_FASTEST: Final = {"quality": 0, "method": 0}
_LOSSY: Final = {"quality": _QUALITY, "method": 2}
_LEVEL: Final = 3

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


def encoded_again(picture: Stripped, kind: Kind) -> bytes:
    """The image in its format, turned by its orientation.

    PNG and lossless WebP stay exact, except that 16-bit colour PNG becomes 8-bit, as Pillow
    decodes no more; other formats are encoded at quality 95.  An animation is turned frame by
    frame.  The ICC profile is preserved.
    Raises UnusableImage: "not_an_image" or "too_many_pixels"; MemoryError for a valid image.
    """
    most = MAX_TURNED[kind]
    if picture.frames * picture.width * picture.height > most:
        raise UnusableImage(
            "too_many_pixels",
            f"The picture has to be turned upright; at most {most:,} pixels, of all frames"
            " together, are then accepted. Send it upright.",
        )
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
    turn = _TURNS.get(picture.orientation)
    frames: list[Image.Image] = []
    durations: list[float] = []
    # The bytes without metadata are opened, so no metadata reaches the new file.  The decoder frees
    # its canvases before the encoder needs memory.
    with Image.open(io.BytesIO(picture.content), formats=(kind.upper(),)) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(image.copy() if turn is None else image.transpose(turn))
            durations.append(image.info.get("duration", 0))
        return _Decoded(frames, durations, dict(image.info), _chroma(image, turn))


def _chroma(image: Image.Image, turn: Image.Transpose | None) -> int:
    chroma: int = _FULL_CHROMA if turn is None else JpegImagePlugin.get_sampling(image)
    # Viewers show a repaired image without subsampling.  After a quarter turn, 4:2:2 becomes 4:4:0,
    # which Pillow cannot write.
    if chroma == _UNKNOWN_CHROMA or (chroma == _HALF_WIDTH_CHROMA and turn in _QUARTERS):
        return _FULL_CHROMA
    return chroma


def _save_jpeg(decoded: _Decoded, out: io.BytesIO) -> None:
    # Never progressive: that needs all coefficients in memory at once.
    decoded.frames[0].save(
        out,
        "JPEG",
        quality=_QUALITY,
        subsampling=decoded.chroma,
        icc_profile=decoded.info.get("icc_profile"),
    )


def _save_png(decoded: _Decoded, out: io.BytesIO) -> None:
    if len(decoded.frames) == 1:
        decoded.frames[0].save(out, "PNG", icc_profile=None, compress_level=_LEVEL)
        return
    # A picture that is shown only where animations are not supported has no duration.
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
        compress_level=_LEVEL,
    )


def _without_palette(frame: Image.Image) -> Image.Image:
    # Each frame is a whole picture, and may need colours that are not in the palette of the first.
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
        icc_profile=decoded.info.get("icc_profile"),
        **(_FASTEST if lossless else _LOSSY),
    )
