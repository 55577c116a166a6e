"""Columns say of users what a look at each of them says, however they came into the columns."""

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake.model.items import Attributes
from uptake.reading.segments.queries import Segments
from uptake.store.records import Entry
from uptake.testing.store.model import ModelStore

from .plain import holds

EXAMPLES = 150
NAMES = st.sampled_from(["a", "b", "c"])
NUMBERS = st.sampled_from([0, 1, -1, 1.5, 30, 1e300])
DATES = st.sampled_from(
    ["2024-02-29", "2024-02-29T12:00:00+02:00", "20240301", "2024-03-01T00:00Z"]
)
TEXTS = st.sampled_from(
    ["", "null", " ", "x", "xy", "\u00e9", '"', "\\", "\U0001f600", "NaN", "1e999", "2024-02-30"]
)
VALUES = TEXTS | DATES | NUMBERS.map(str) | st.sampled_from(["1.0", "3e1", "030", "+1", "1\n"])
ORDERS = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])


def _typed(kind: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    one = st.fixed_dictionaries(
        {"attribute": NAMES, "op": ORDERS, "value": values, "as": st.just(kind)}
    )
    several = st.fixed_dictionaries(
        {
            "attribute": NAMES,
            "op": st.just("in"),
            "value": st.lists(values, max_size=3),
            "as": st.just(kind),
        }
    )
    return one | several


CONDITIONS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"attribute": NAMES, "op": st.sampled_from(["exists", "is_empty"])}),
    st.fixed_dictionaries(
        {"attribute": NAMES, "op": st.sampled_from(["eq", "ne"]), "value": VALUES}
    ),
    st.fixed_dictionaries(
        {"attribute": NAMES, "op": st.just("in"), "value": st.lists(VALUES, max_size=3)}
    ),
    st.fixed_dictionaries(
        {
            "attribute": NAMES,
            "op": st.sampled_from(["contains", "starts_with"]),
            "value": VALUES.filter(bool),
        }
    ),
    _typed("number", NUMBERS),
    _typed("date", DATES),
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda parts: st.one_of(
        st.fixed_dictionaries({"and": st.lists(parts, max_size=3)}),
        st.fixed_dictionaries({"or": st.lists(parts, max_size=3)}),
        st.fixed_dictionaries({"not": parts}),
    ),
    max_leaves=6,
)
PEOPLE = st.dictionaries(
    st.text("abc\u00e9\U0001f600", min_size=1, max_size=3),
    st.dictionaries(NAMES, VALUES),
    max_size=12,
)


def entry(people: Mapping[str, Mapping[str, str]]) -> Entry:
    """What tells a store of people."""
    records = [Attributes(name, tuple(told), list(told.values())) for name, told in people.items()]
    return Entry("default", "request", 1, tuple(records))


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    people=PEOPLE,
    later=PEOPLE,
    wanted=st.lists(FILTERS, min_size=1, max_size=4),
    size=st.integers(1, 5),
)
def test_columns_say_what_a_look_at_each_user_says(
    people: dict[str, dict[str, str]],
    later: dict[str, dict[str, str]],
    wanted: list[dict[str, Any]],
    size: int,
) -> None:
    """Before and after some of them change, by whatever pages it is asked for."""
    store = ModelStore()
    segments = Segments(store, 1 << 30)
    stands: dict[str, dict[str, str]] = {}
    for told in (people, later):
        store.commit([entry(told)])
        stands |= {name: {**stands.get(name, {}), **values} for name, values in told.items()}
        for one in wanted:
            expected = sorted(name for name, values in stands.items() if holds(one, values))
            found, cursor = [], None
            while True:
                page = segments.preview("default", msgspec.json.encode(one), cursor, size)
                assert page.count == len(expected)
                assert len(page.users) <= size
                found += page.users
                cursor = page.next
                if cursor is None:
                    break
            assert [user.user_id for user in found] == expected
            assert {user.user_id: user.attributes for user in found} == {
                name: stands[name] for name in expected
            }
