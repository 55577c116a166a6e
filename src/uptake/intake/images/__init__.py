"""Accepts pictures by their content and takes everything out that does not show them."""

from collections.abc import Callable
from typing import Final

from uptake.intake.images import gif, jpeg, png, webp
from uptake.intake.images.orientation import UPRIGHT
from uptake.intake.images.recognise import kind_of
from uptake.intake.images.upright import turned_upright
from uptake.intake.images.verdict import MAX_PIXELS, CleanImage, Kind, Stripped, UnusableImage

__all__ = ["MAX_PIXELS", "CleanImage", "UnusableImage", "clean"]

_STRIPPERS: Final[dict[Kind, Callable[[bytes], Stripped]]] = {
    "jpeg": jpeg.strip,
    "png": png.strip,
    "gif": gif.strip,
    "webp": webp.strip,
}
_EXTENSIONS: Final[dict[Kind, str]] = {"jpeg": "jpg", "png": "png", "gif": "gif", "webp": "webp"}


def clean(content: bytes) -> CleanImage:
    """The picture in `content`, a PNG, JPEG, GIF or WebP file, upright and without metadata.

    A file with nothing to take out comes back byte for byte, and cleaning twice changes
    nothing more.  Only a picture that EXIF data call turned or mirrored is decoded; such
    calls wait for each other.  Sources: ITU-T T.81, PNG 3rd edition, GIF89a, RFC 9649.
    Raises UnusableImage for bytes that are no such picture, and nothing else for any bytes;
    MemoryError is possible while a picture is being turned.
    """
    kind = kind_of(content)
    strip = _STRIPPERS[kind]
    picture = strip(content)
    if picture.orientation != UPRIGHT:
        picture = strip(turned_upright(picture, kind))
    return CleanImage(
        picture.content, f"image/{kind}", _EXTENSIONS[kind], picture.width, picture.height
    )
