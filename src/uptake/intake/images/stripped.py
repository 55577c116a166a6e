"""What the modules of all formats share: signatures, limits, orientation, results, rejections."""

import struct
from dataclasses import dataclass
from typing import Any, Final, Literal

# Pillow's own Image.MAX_IMAGE_PIXELS: a 24-bit picture of this size is a quarter of a gibibyte.
MAX_PIXELS: Final = 89_478_485

# Chunks, segments or blocks in one file.  The largest upload, 20 MiB, in the 8 KiB chunks of libpng
# has under 3,000; a file of tiny parts only costs time.
MAX_PARTS: Final = 100_000

# Pixels that decoding one file may visit, over all its scans or frames: an image of MAX_PIXELS in
# ten progressive scans, or 900 frames of a million pixels.  It takes one to four seconds.
MAX_WORK: Final = 10 * MAX_PIXELS

# ITU-T T.81 B.1.1.3 (SOI), PNG 3rd edition 5.2, GIF89a section 17, RFC 9649 section 2.4.
_SIGNATURES: Final[tuple[tuple[bytes, "Kind", str], ...]] = (
    (b"\xff\xd8", "jpeg", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "png", "PNG"),
    (b"GIF87a", "gif", "GIF"),
    (b"GIF89a", "gif", "GIF"),
)
_RIFF: Final = b"RIFF"
_WEBP: Final = b"WEBP"
_RIFF_HEADER: Final = 12

# EXIF 2.32 (CIPA DC-008) 4.6.4: the tag, its values, and the value that means upright.
_TAG: Final = 0x0112
_VALUES: Final = range(1, 9)
UPRIGHT: Final = 1

# The identifier before the TIFF data: required in JPEG APP1 (CIPA DC-008 4.7.2), and often written
# into PNG and WebP by mistake.
EXIF_PREFIX: Final = b"Exif\0\0"

# TIFF 6.0, section 2: field types SHORT and LONG, and the length of one directory entry.
_SHORT: Final = 3
_LONG: Final = 4
_ENTRY: Final = 12
_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}

Kind = Literal["jpeg", "png", "gif", "webp"]
Code = Literal["empty", "truncated", "not_an_image", "too_many_pixels"]


@dataclass(frozen=True, slots=True)
class CleanImage:
    """An upright image without metadata.

    `width` and `height` are pixels as displayed, `extension` is one of "png", "jpg", "gif" and
    "webp", and `media_type` belongs to that extension.
    """

    content: bytes
    media_type: str
    extension: str
    width: int
    height: int


class UnusableImage(Exception):
    """The upload is rejected; `message` is one sentence for its sender."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Stripped:
    """An image without metadata, and what its headers and metadata contain.

    Attributes:
        content: the file; its compressed data may still contain other bytes.
        width, height: pixels as stored.
        orientation: the EXIF value, 1 to 8.
        frames: number of pictures of an animation.
        lossless: whether all pictures are compressed without loss.
        work: the cost of decoding, in pixels.
        details: data that the module of its format needs for `verified`.
        is_damaged: whether only lenient decoders show it.
    """

    content: bytes
    width: int
    height: int
    orientation: int = UPRIGHT
    frames: int = 1
    lossless: bool = True
    work: int = 0
    details: Any = None
    is_damaged: bool = False


def truncated(name: str) -> UnusableImage:
    """The rejection of a file of format `name` that ends too early."""
    return UnusableImage("truncated", f"The {name} image is cut off: it ends too early.")


def malformed(name: str, reason: str) -> UnusableImage:
    """The rejection of a file of format `name` with a broken structure; `reason` is a clause."""
    return UnusableImage("not_an_image", f"The file is not a usable {name} image: {reason}.")


def check_size(name: str, width: int, height: int) -> None:
    """Reject a picture, of `width` by `height` pixels, that has no area or is too large.

    Raises UnusableImage, "not_an_image" or "too_many_pixels".
    """
    if width == 0 or height == 0:
        raise malformed(name, f"its header has a size of {width} by {height} pixels")
    if width * height > MAX_PIXELS:
        raise UnusableImage(
            "too_many_pixels",
            f"The {name} image has {width} by {height} pixels;"
            f" at most {MAX_PIXELS:,} pixels are accepted.",
        )


def too_much_work(name: str, what: str) -> UnusableImage:
    """The rejection of a file of format `name` that takes too long to decode."""
    return UnusableImage(
        "too_many_pixels",
        f"The {name} image has too many {what} together: decoding it visits more than"
        f" {MAX_WORK:,} pixels.",
    )


def kind_of(content: bytes) -> Kind:
    """The format of a file, by its signature.

    Raises UnusableImage: "empty", "truncated" or "not_an_image".
    """
    if not content:
        raise UnusableImage("empty", "The file is empty.")
    for signature, kind, name in _SIGNATURES:
        if content.startswith(signature):
            return kind
        if signature.startswith(content):
            raise truncated(name)
    if content[8:_RIFF_HEADER] == _WEBP and content.startswith(_RIFF):
        return "webp"
    # RIFF also contains sound and video, but a file that ends before the difference is cut off.
    if _RIFF.startswith(content[:4]) and len(content) < _RIFF_HEADER:
        raise truncated("WebP")
    raise UnusableImage("not_an_image", "The file is not a PNG, JPEG, GIF or WebP image.")


def orientation_of(exif: bytes) -> int:
    """The orientation, 1 to 8, in EXIF data with or without its "Exif" prefix.

    Broken data, a missing tag and values outside the range mean upright (1), as metadata are not
    stored.  Sources: TIFF 6.0 section 2, CIPA DC-008.
    """
    tiff = exif.removeprefix(EXIF_PREFIX)
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + entries * _ENTRY, _ENTRY):
            tag, kind = struct.unpack_from(order + "HH", tiff, entry)
            if tag == _TAG:
                return _value(order, kind, tiff, entry + 8)
    except struct.error:
        return UPRIGHT
    return UPRIGHT


def _value(order: str, kind: int, tiff: bytes, at: int) -> int:
    if kind not in (_SHORT, _LONG):
        return UPRIGHT
    value: int = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), tiff, at)[0]
    return value if value in _VALUES else UPRIGHT
