"""No bytes whatever make cleaning fail in any way but a rejection."""

from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.intake.images import CleanImage, UnusableImage, clean

from .pictures import FORMATS, animated, drawn, encoded, exif

_PICTURES = [
    *(encoded(drawn(24, 16), kind) for kind in FORMATS),
    *(encoded(drawn(24, 16), kind, exif=exif(6)) for kind in ("JPEG", "PNG", "WEBP")),
    encoded(drawn(24, 16), "JPEG", progressive=True, exif=exif(3)),
    *(animated(kind) for kind in ("GIF", "PNG", "WEBP")),
    *(animated(kind, exif=exif(6)) for kind in ("PNG", "WEBP")),
]
_STARTS = (b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a\1\0\1\0\0\0\0", b"RIFF\xff\0\0\0WEBP")


def _cleaned(content: bytes) -> CleanImage | None:
    try:
        return clean(content)
    except UnusableImage:
        return None


@given(st.sampled_from(_STARTS), st.binary(max_size=400))
def test_random_bytes_are_rejected_or_accepted(start: bytes, rest: bytes) -> None:
    """Anything after a signature ends in a rejection or a picture."""
    _cleaned(start + rest)


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(_PICTURES), st.data())
def test_changed_pictures_are_rejected_or_cleaned_for_good(
    picture: bytes, data: st.DataObject
) -> None:
    """A picture with changed, missing or inserted bytes is rejected, or clean after one pass."""
    content = bytearray(picture)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = start + data.draw(st.integers(0, 4))
        content[start:end] = data.draw(st.binary(max_size=6))
    image = _cleaned(bytes(content))
    if image is not None:
        assert clean(image.content) == image
