"""Small damage that every viewer forgives is repaired; what is not shown whole is not served."""

from pathlib import Path

import pytest
from PIL import ImageFile

from uptake.intake.images import UnusableImage, clean

from .pictures import animated, chunk, difference, drawn, encoded, exif, opened, png_with, segment

_CASES = Path(__file__).parents[2] / "cases" / "images"
_JPEG = encoded(drawn(), "JPEG", quality=95)
_PROGRESSIVE = encoded(drawn(), "JPEG", progressive=True)
_PNG = encoded(drawn(), "PNG")
_GIF = animated("GIF")

_FORGIVEN = {
    **{path.name: path.read_bytes() for path in _CASES.iterdir()},
    "JPEG without an end": _JPEG[:-2],
    "progressive JPEG without an end": _PROGRESSIVE[:-2],
    "JPEG with restarts and without an end": encoded(drawn(), "JPEG", restart_marker_blocks=1)[:-2],
    "JPEG with zeros after it": _JPEG + bytes(100),
    "JPEG with zeros instead of its end": _JPEG[:-2] + bytes(100),
    "JPEG with half a marker": _JPEG[:-1],
    "PNG without an end": _PNG[:-12],
    "PNG with a wrong checksum of its end": _PNG[:-1] + b"x",
    "PNG with a damaged density": png_with(chunk(b"pHYs", bytes(9))[:-1] + b"x"),
    "GIF without a trailer": _GIF[:-1],
    "GIF with zeros before its trailer": _GIF[:-1] + bytes(5) + b";",
    "GIF with zeros between its pictures": _GIF.replace(b"\0\x21\xf9\x04", b"\0\0\0\x21\xf9\x04"),
}


def _as_viewers(content: bytes) -> bytes:
    """A file that Pillow reads to its end in its lenient mode."""
    return content + b"\xff\xd9" if content.startswith(b"\xff\xd8") else content


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow shows what it can of a damaged file, as browsers do."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("name", _FORGIVEN)
def test_a_file_that_viewers_show_is_repaired(name: str) -> None:
    """It shows what they show, and is sound: cleaning it again changes nothing."""
    image = clean(_FORGIVEN[name])
    assert clean(image.content) == image
    limit = 4 if "stray" in name else 0.001
    assert difference(opened(image.content), opened(_as_viewers(_FORGIVEN[name]))) < limit
    assert b"GPS" not in image.content


def _damaged(content: bytes, at: float, planted: bytes) -> bytes:
    start = content.rindex(b"\xff\xda") + 14
    place = start + int((len(content) - start) * at)
    return content[:place] + planted + content[place + len(planted) :]


@pytest.mark.parametrize("at", [0.01, 0.125, 0.5, 0.9])
@pytest.mark.parametrize(
    "planted", [b"\xff\x01", b"\xff\xd3", b"\xff\xe1", b"\xff\xd9", b"\xff\xda"]
)
@pytest.mark.parametrize("progressive", [False, True])
def test_a_marker_in_a_scan_takes_nothing_away(
    at: float, planted: bytes, *, progressive: bool
) -> None:
    """The picture is as decoders show the upload, or it is rejected; never less."""
    picture = drawn().resize((320, 240)).effect_spread(20)
    damaged = _damaged(encoded(picture, "JPEG", progressive=progressive), at, planted)
    try:
        image = clean(damaged)
    except UnusableImage:
        return
    assert difference(opened(image.content), opened(_as_viewers(damaged))) < 4
    assert clean(image.content) == image


def test_orientation_in_a_text_is_not_looked_at() -> None:
    """Browsers show such a PNG as it is stored."""
    source = (_CASES / "png-raw-profile-exif-orientation-3.png").read_bytes()
    assert opened(clean(source).content).tobytes() == opened(source).tobytes()


def test_a_damaged_picture_is_turned_too() -> None:
    """Repairing and turning are one step."""
    source = encoded(drawn(), "JPEG", exif=exif(6))
    image = clean(_damaged(source, 0.5, b"\xff\xe1"))
    assert (image.width, image.height) == (64, 96)


@pytest.mark.parametrize("missing", [13, 16, 20, 60])
def test_a_png_that_ends_within_its_pixels_is_truncated(missing: int) -> None:
    """Also where only the checksum of the last chunk is missing: the upload was cut off."""
    with pytest.raises(UnusableImage) as rejection:
        clean(_PNG[:-missing])
    assert rejection.value.code == "truncated"


def test_half_a_chunk_after_the_pixels_is_dropped() -> None:
    """What was cut off did not show the picture."""
    assert clean(_PNG[:-12] + b"\0\0\1\0tEXtComm").content == _PNG


def _with_scans(count: int) -> bytes:
    """A progressive JPEG that repeats a scan before the last ones."""
    first, second, third = [
        at for at in range(len(_PROGRESSIVE)) if _PROGRESSIVE[at : at + 2] == b"\xff\xda"
    ][:3]
    assert first < second
    return _PROGRESSIVE[:third] + _PROGRESSIVE[second:third] * count + _PROGRESSIVE[third:]


@pytest.mark.parametrize("scans", [33, 95])
def test_a_jpeg_of_too_many_scans_is_rejected(scans: int) -> None:
    """Each may cost a decoder a pass over the whole picture."""
    with pytest.raises(UnusableImage, match="more than 32 scans"):
        clean(_with_scans(scans))


def test_many_scans_of_many_pixels_are_rejected() -> None:
    """Twenty scans are few, of a small picture."""
    source = _with_scans(10)
    frame = source.index(b"\xff\xc2") + 5
    large = source[:frame] + (9000).to_bytes(2) + (9000).to_bytes(2) + source[frame + 4 :]
    with pytest.raises(UnusableImage, match="too many scans and pixels") as rejection:
        clean(large)
    assert rejection.value.code == "too_many_pixels"


@pytest.mark.parametrize("progressive", [False, True])
def test_unusual_subsampling_is_encoded_again(*, progressive: bool) -> None:
    """Its pixels stay about the same, and nothing that follows them does."""
    source = encoded(drawn().convert("CMYK"), "JPEG", subsampling=2, progressive=progressive)
    image = clean(source[:-2] + b"48.8584N" + segment(0xE1, b"48.8584N"))
    assert b"48.8584N" not in image.content
    assert difference(opened(image.content), opened(source)) < 2
    assert clean(image.content) == image


def test_a_segment_that_ends_the_file_is_called_truncated() -> None:
    """What is missing may be the picture."""
    with pytest.raises(UnusableImage) as rejection:
        clean(_JPEG[:2] + segment(0xFE, b"x" * 100)[:50])
    assert rejection.value.code == "truncated"
