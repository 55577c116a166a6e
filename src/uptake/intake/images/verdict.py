"""What the intake says about a picture: the clean image, or why it cannot be used."""

from dataclasses import dataclass
from typing import Any, Final, Literal

# Pillow's own Image.MAX_IMAGE_PIXELS: a 24-bit picture of this size is a quarter of a gibibyte.
MAX_PIXELS: Final = 89_478_485

# Chunks, segments or blocks in one file.  The largest upload, 20 MiB, written as the 8 KiB
# chunks libpng uses, has under 3,000; a file made of tiny parts only serves to burn time.
MAX_PARTS: Final = 100_000

# Pixels that decoding one file may visit, over all its scans or frames: a picture of MAX_PIXELS in
# ten progressive scans, or 900 frames of a million pixels.  Measured at one to four seconds.
MAX_WORK: Final = 10 * MAX_PIXELS

Kind = Literal["jpeg", "png", "gif", "webp"]
Code = Literal["empty", "truncated", "not_an_image", "too_many_pixels"]


@dataclass(frozen=True, slots=True)
class CleanImage:
    """A picture holding nothing but what shows it, upright.

    `width` and `height` are pixels of the picture as shown, `extension` is one of
    "png", "jpg", "gif" and "webp", and `media_type` belongs to that extension.
    """

    content: bytes
    media_type: str
    extension: str
    width: int
    height: int


class UnusableImage(Exception):
    """The upload is no picture that can be kept; `message` is one sentence for a person."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Stripped:
    """A picture without its metadata, and what its headers and metadata said.

    Attributes:
        content: the file; what its compressed data hold besides the picture is still in it.
        width, height: pixels as stored.
        orientation: the EXIF value, 1 to 8.
        frames: pictures of an animation.
        lossless: whether every picture was compressed without loss.
        work: what decoding it costs, in pixels.
        details: what the module of its format needs to verify it.
        is_damaged: whether it shows something only by a decoder's leniency.
    """

    content: bytes
    width: int
    height: int
    orientation: int = 1
    frames: int = 1
    lossless: bool = True
    work: int = 0
    details: Any = None
    is_damaged: bool = False


def truncated(name: str) -> UnusableImage:
    """The rejection of a file of format `name` that ends too early."""
    return UnusableImage("truncated", f"The {name} image is cut off: it ends too early.")


def malformed(name: str, reason: str) -> UnusableImage:
    """The rejection of a file of format `name` whose structure is broken; `reason` is a clause."""
    return UnusableImage("not_an_image", f"The file is not a usable {name} image: {reason}.")


def check_size(name: str, width: int, height: int) -> None:
    """Reject a picture, of `width` by `height` pixels, that has no area or is too large.

    Raises UnusableImage, "not_an_image" or "too_many_pixels".
    """
    if width == 0 or height == 0:
        raise malformed(name, f"its header says {width} by {height} pixels")
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
