"""Tells by its first bytes which of the accepted formats a file is."""

from typing import Final

from uptake.intake.images.verdict import Kind, UnusableImage, truncated

# ITU-T T.81 B.1.1.3 (SOI), PNG 3rd edition 5.2, GIF89a section 17, RFC 9649 section 2.4.
_SIGNATURES: Final[tuple[tuple[bytes, Kind, str], ...]] = (
    (b"\xff\xd8", "jpeg", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "png", "PNG"),
    (b"GIF87a", "gif", "GIF"),
    (b"GIF89a", "gif", "GIF"),
)
_RIFF: Final = b"RIFF"
_WEBP: Final = b"WEBP"
_RIFF_HEADER: Final = 12


def kind_of(content: bytes) -> Kind:
    """The format of `content`, by its signature; the rest of the file is not looked at.

    Raises UnusableImage: "empty", "truncated" when the file ends within a signature, and
    "not_an_image" when it starts with none.
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
    # RIFF also holds sound and video, but too little of it to tell is best called cut off.
    if _RIFF.startswith(content[:4]) and len(content) < _RIFF_HEADER:
        raise truncated("WebP")
    raise UnusableImage("not_an_image", "The file is not a PNG, JPEG, GIF or WebP image.")
