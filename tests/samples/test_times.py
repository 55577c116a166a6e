"""Times are read exactly, alone and in arrays, and formatted as they were sent."""

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from samples.making import canonical_times, local_time, moments
from uptake.samples import times

INSTANTS = {
    "1970-01-01T00:00:00Z": 0,
    "1970-01-01T00:00:00.0000001Z": 1,
    "1969-12-31T23:59:59.9999999Z": -1,
    "1970-01-01T01:30:00+01:30": 0,
    "1969-12-31T12:00:00-12:00": 0,
    "1969-12-31T23:59:00-00:01": 0,
    "1970-01-01T23:59:00+23:59": 0,
    "2000-02-29T12:00:00Z": 951_825_600 * 10_000_000,
    "2024-02-29T00:00:00.5Z": 1_709_164_800 * 10_000_000 + 5_000_000,
    "0001-01-01T00:00:00Z": -62_135_596_800 * 10_000_000,
    "9999-12-31T23:59:59.9999999Z": 253_402_300_799 * 10_000_000 + 9_999_999,
    "0001-01-01T00:00:00+23:59": (-62_135_596_800 - 86_340) * 10_000_000,
    "9999-12-31T23:59:59-23:59": (253_402_300_799 + 86_340) * 10_000_000,
}
"""Ticks of 100 ns since the epoch, from the calendar."""

ALSO_TAKEN = {
    "2024-02-29": "2024-02-29T00:00:00Z",
    "2024-02-29T12": "2024-02-29T12:00:00Z",
    "2024-02-29T12:34": "2024-02-29T12:34:00Z",
    "2024-02-29T12:34:56": "2024-02-29T12:34:56Z",
    "2024-02-29 12:34:56Z": "2024-02-29T12:34:56Z",
    "2024-02-29t12:34:56z": "2024-02-29T12:34:56Z",
    "2024-02-29T12:34:56,5Z": "2024-02-29T12:34:56.5Z",
    "2024-02-29T12:34:56.123456789Z": "2024-02-29T12:34:56.1234567Z",
    "2024-02-29T12:34:56.99999999+04:00": "2024-02-29T12:34:56.9999999+04:00",
    "2024-02-29T12:34:56+0400": "2024-02-29T12:34:56+04:00",
    "2024-02-29T12:34:56+04": "2024-02-29T12:34:56+04:00",
    "20240229T123456Z": "2024-02-29T12:34:56Z",
    "20240229": "2024-02-29T00:00:00Z",
}
"""What ISO 8601 allows besides, and the canonical form of the same."""

REJECTED = (
    "",
    " ",
    "now",
    "2024",
    "2024-02",
    "24-02-29T12:34:56Z",
    "2024-02-29T24:00:00Z",
    "2024-02-29T23:60:00Z",
    "2024-02-29T23:59:60Z",
    "2024-13-01T00:00:00Z",
    "2024-00-01T00:00:00Z",
    "2024-01-00T00:00:00Z",
    "2024-01-32T00:00:00Z",
    "2024-02-30T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2024-04-31T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "-001-01-01T00:00:00Z",
    "2024-02-29T12:34:56+24:00",
    "2024-02-29T12:34:56-24:00",
    "2024-02-29T12:34:56+04:60",
    "2024-02-29T12:34:56+04:00:30",
    "2024-02-29T12:34:56+4:00",
    "2024-02-29T12:34:56 +04:00",
    "2024-02-29T12:34:56~04:00",
    "2024-02-29T12:34:56ZZ",
    "2024-02-29T12:34:56z ",
    "2024-02-29T12:34:56.Z",
    "2024-02-29T12:34:56.+04:00",
    "2024-02-29T12:34:56.12 4Z",
    "2024-02-29T12:34:56Z\n",
    "\n2024-02-29T12:34:56Z",
    " 2024-02-29T12:34:56Z",
    "2024-02-29T12:34:5\u0666Z",
    "\u0662\u0660\u0662\u0664-02-29T12:34:56Z",
    "2024-02-29T12:34:56\u22120400",
    "2024/02/29T12:34:56Z",
    "2024-02-29T12-34-56Z",
    "2024-02-29T12:34:56.1e3Z",
    "2024-02-29_12:34:56Z",
    "2024-W09-4T12:34:56Z",
    "2024-060T12:34:56Z",
    "1709210096",
    "Thu, 29 Feb 2024 12:34:56 GMT",
    "2024-02-29T12:34:56\x00",
    "\ud800",
)


@pytest.mark.parametrize(("text", "ticks"), INSTANTS.items(), ids=INSTANTS)
def test_a_time_is_an_exact_instant(text: str, ticks: int) -> None:
    """Alone and in an array."""
    assert times.read(text)[0] == ticks
    assert times.read_all([text] * 30)[0].tolist() == [ticks] * 30


@pytest.mark.parametrize(("text", "canonical"), ALSO_TAKEN.items(), ids=ALSO_TAKEN)
def test_other_forms_of_iso_8601_are_accepted(text: str, canonical: str) -> None:
    """And formatted canonically, in the same offset; digits after the seventh are cut off."""
    assert times.format_time(*times.read(text)) == canonical
    many = _all_at_once([text] * 30)
    assert many is not None
    assert [times.format_time(*one) for one in many] == [canonical] * 30


@pytest.mark.parametrize("text", REJECTED, ids=ascii)
def test_an_invalid_time_is_rejected(text: str) -> None:
    """Alone, and in any position of an array."""
    assert _one_by_one([text]) is None
    good = ["2024-02-28T12:34:56Z"] * 40
    for place in (0, 20, 40):
        assert _all_at_once([*good[:place], text, *good[place:]]) is None
    assert _all_at_once([text] * 40) is None


def test_an_empty_array_is_read() -> None:
    """As an empty array."""
    ticks, how = times.read_all([])
    assert (ticks.tolist(), how.tolist()) == ([], [])


@given(canonical_times)
@example("0001-01-01T00:00:00.0000000-23:59")
@example("9999-12-31T23:59:59.9999999+23:59")
@example("2000-02-29T00:00:00.1+00:00")
def test_a_canonical_time_is_formatted_as_it_was_sent(text: str) -> None:
    """For any offset in minutes, 0 to 7 fraction digits, and any year."""
    assert times.format_time(*times.read(text)) == text


@given(moments, st.integers(-23 * 60 - 59, 23 * 60 + 59), st.integers(0, 999_999))
def test_an_instant_equals_the_standard_librarys(
    moment: datetime, minutes: int, microseconds: int
) -> None:
    """By its own arithmetic."""
    text = local_time(moment, f"{microseconds:06d}", minutes)
    local = (moment - datetime(1970, 1, 1)) // timedelta(seconds=1)  # noqa: DTZ001 - local clocks
    assert times.read(text)[0] == ((local - minutes * 60) * 1_000_000 + microseconds) * 10


mixed = st.one_of(
    canonical_times,
    st.sampled_from([*INSTANTS, *ALSO_TAKEN]),
    st.sampled_from(REJECTED),
    st.from_regex(r"[0-2][0-9]{3}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](Z|)\Z"),
    st.text("0123456789-:.+TZ \n", max_size=30),
)


def _one_by_one(texts: list[str]) -> list[tuple[int, int]] | None:
    try:
        return [times.read(text) for text in texts]
    except ValueError:
        return None


def _all_at_once(texts: list[str]) -> list[tuple[int, int]] | None:
    try:
        ticks, how = times.read_all(texts)
    except ValueError:
        return None
    return list(zip(ticks.tolist(), how.tolist(), strict=True))


@given(st.lists(mixed, max_size=40))
def test_an_array_is_read_like_single_times(texts: list[str]) -> None:
    """Of mixed shapes, invalid times included."""
    assert _all_at_once(texts) == _one_by_one(texts)


@st.composite
def alike(draw: st.DrawFn) -> list[str]:
    """Times of one shape, at most one of them with a wrong character."""
    digits = draw(st.integers(0, 7))
    zoned = draw(st.booleans())
    offset = st.integers(-23 * 60 - 59, 23 * 60 + 59) if zoned else st.none()
    fraction = st.text("0123456789", min_size=digits, max_size=digits)
    texts = draw(
        st.lists(st.builds(local_time, moments, fraction, offset), min_size=24, max_size=30)
    )
    if draw(st.booleans()):
        which = draw(st.integers(0, len(texts) - 1))
        place = draw(st.integers(0, len(texts[which]) - 1))
        other = draw(st.sampled_from("0369 -+:TZz.\n\u0663"))
        texts[which] = texts[which][:place] + other + texts[which][place + 1 :]
    return texts


@given(alike())
@settings(max_examples=300)
def test_times_of_one_shape_are_read_like_single_times(texts: list[str]) -> None:
    """With at most one character changed."""
    assert _all_at_once(texts) == _one_by_one(texts)
