"""Strategies for bodies: sound ones of every endpoint, and what mutation makes of them."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

MAX_USER_ID = 256
TEXT = st.text(max_size=20)
LIMITS = {"count": 30_000.0, "count/min": 300.0, "count/s": 1e300}

json_values: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
json_objects = st.dictionaries(TEXT, json_values, max_size=5)
finite_objects = st.dictionaries(
    TEXT,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
        max_leaves=8,
    ),
    max_size=5,
)
users = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=MAX_USER_ID,
)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=128)
names = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=50
).filter(lambda name: name != "user_id")

documents = st.fixed_dictionaries(
    {"user": st.fixed_dictionaries({"userLabel": users}), "data": finite_objects}
)


@st.composite
def profiles(draw: DrawFn) -> dict[str, Any]:
    """A sound request to set attributes; values are strings."""
    columns = draw(st.lists(names, max_size=6, unique=True))
    at = draw(st.integers(0, len(columns)))
    rows = draw(
        st.lists(
            st.tuples(
                users.filter(lambda user: len(user) <= 128),
                st.lists(texts, min_size=len(columns), max_size=len(columns)),
            ),
            min_size=1,
            max_size=6,
        )
    )
    return {
        "field_name": [*columns[:at], "user_id", *columns[at:]],
        "values": [[*values[:at], user, *values[at:]] for user, values in rows],
    }


@st.composite
def times(draw: DrawFn) -> datetime:
    """A time of the wire, with an offset."""
    zone = timezone(timedelta(minutes=draw(st.integers(-12 * 60, 14 * 60))))
    moment = draw(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
    return moment.replace(tzinfo=draw(st.sampled_from([UTC, zone])))


@st.composite
def samples(draw: DrawFn) -> dict[str, Any]:
    """A sound sample."""
    start = draw(times())
    unit = draw(st.sampled_from(sorted(LIMITS)))
    whole = st.integers(1, 300)
    value = draw(whole | st.floats(0, LIMITS[unit], exclude_min=True, allow_subnormal=False))
    sample: dict[str, Any] = {
        "device_name": draw(st.sampled_from(["a", "b", "Ünï"]) | texts.filter(str.strip)),
        "start_date": start.isoformat(),
        "unit": unit,
        "value": value,
    }
    if draw(st.booleans()):
        later = timedelta(microseconds=draw(st.integers(0, 10**13)))
        sample["end_date"] = draw(st.none() | st.just((start + later).isoformat()))
    if draw(st.booleans()):
        sample["device_version"] = draw(st.none() | texts)
    return sample


@st.composite
def batches(draw: DrawFn) -> dict[str, Any]:
    """A sound request of samples, some of them twice."""
    found = draw(st.lists(samples(), min_size=3, max_size=8))
    again = draw(st.lists(st.sampled_from(found), max_size=3))
    return {
        "user_id": draw(users),
        "data_type": draw(st.sampled_from(["steps", "bpm"])),
        "data": found + [{**sample, "value": 1} for sample in again],
    }


@st.composite
def mutated(draw: DrawFn, sound: SearchStrategy[Any]) -> bytes:
    """A sound body in which one place holds something else, or some bytes are changed."""
    body = draw(sound)
    if draw(st.booleans()):
        body = _replaced(draw, body)
    text = bytearray(json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "replace"))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 5))] = draw(st.binary(max_size=5))
    return bytes(text)


def _replaced(draw: DrawFn, value: Any) -> Any:
    """The value with one place below it, or itself, exchanged for any other."""
    if not value or not isinstance(value, dict | list) or draw(st.integers(0, 3)) == 0:
        return draw(json_values)
    if isinstance(value, dict):
        name = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 3)) == 0:
            return {other: inner for other, inner in value.items() if other != name}
        return {**value, name: _replaced(draw, value[name])}
    at = draw(st.integers(0, len(value) - 1))
    return [*value[:at], _replaced(draw, value[at]), *value[at + 1 :]]
