"""Whatever place of a file something is hidden in, it is not in what is stored."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from uptake.intake.images import UnusableImage, clean

from .pictures import SECRET, difference, frame_count, opened
from .planting import PLACES, ZIPPED, inflated

_ALL = [(name, place) for name, (_, places) in PLACES.items() for place in places]


def _search(content: bytes) -> None:
    assert SECRET[:8] not in content
    assert ZIPPED not in content
    if content.startswith(b"\x89PNG"):
        assert SECRET[:8] not in inflated(content)


def _visible(picture: Image.Image) -> Image.Image:
    return picture.convert("RGBA") if "transparency" in picture.info else picture


@pytest.mark.parametrize(("name", "place"), _ALL)
def test_a_planted_secret_is_gone_and_each_pixel_stays(name: str, place: str) -> None:
    """Every frame has the pixels of the picture before planting; cleaning again changes nothing."""
    picture, places = PLACES[name]
    image = clean(places[place](picture))
    _search(image.content)
    assert clean(image.content) == image
    before, after = opened(picture), opened(image.content)
    assert frame_count(image.content) == frame_count(picture)
    # A secret before a restart damages the scan: it is encoded again, as decoders show it.
    for frame in range(frame_count(picture)):
        before.seek(frame)
        after.seek(frame)
        assert difference(_visible(before), _visible(after)) < (
            3 if place == "before a restart" else 0.001
        )


@settings(max_examples=150)
@given(st.sampled_from(sorted(PLACES)), st.data())
def test_secrets_in_several_places_are_gone(name: str, data: st.DataObject) -> None:
    """Planted together, whether or not the file is still one that decoders show."""
    content, places = PLACES[name]
    simple = sorted(set(places) - {"instead of the end", "in the end"})
    for place in data.draw(st.lists(st.sampled_from(simple), max_size=3, unique=True)):
        try:
            content = places[place](content)
        except (ValueError, IndexError):  # the place is not there any more
            continue
    try:
        image = clean(content)
    except UnusableImage:
        return
    _search(image.content)
    assert clean(image.content) == image
