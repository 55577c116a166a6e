"""Conformance suite: what is counted of requests, folded or not."""

from collections.abc import Sequence

from msgspec.structs import replace

from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.store.records import RequestError
from uptake.store.request_count_ports import NO_MS
from uptake.store.requests import Outcome
from uptake.testing.store.making import NOON, OpensStore, attributes, batch, entry, rejection
from uptake.time_units import MICROSECONDS_PER_DAY

TOMORROW = NOON + MICROSECONDS_PER_DAY

Counted = tuple[str, str, Outcome, int, int, int, int]


def counted(store: Store, projects: Sequence[str], since: int, until: int) -> list[Counted]:
    """What is counted of the requests of an interval, in order of time."""
    found, begin = store.counted_requests(projects, since, until)
    assert begin == since
    columns = found.kinds, found.moments, found.accepted, found.rejected, found.ms
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return sorted(((*found.table[kind], *row) for kind, *row in rows), key=lambda one: one[3])


class RequestCountsSuite(OpensStore):
    """Counts do not depend on which receipts are folded, nor on how often they are read."""

    def test_the_requests_of_an_interval_are_counted(self, store: Store) -> None:
        """With endpoint, key, outcome, items and milliseconds, of one project or several."""
        made = [
            replace(entry(batch("anna", "1", count=2)), ms=7),
            entry(attributes("anna", a="1"), rejections=(rejection("r-1", user_id="anna"),)),
            replace(entry(), error=RequestError(429, "rate_limited", "anna"), key_id="key-2"),
            entry(batch("anna", "1"), project="other"),
        ]
        store.commit([replace(one, received_at=NOON + at) for at, one in enumerate(made)])
        key, other = ("samples", "key-1"), ("samples", "key-2")
        expected: list[Counted] = [
            (*key, Outcome.ACCEPTED, NOON, 3, 0, 7),
            (*key, Outcome.PARTIAL, NOON + 1, 1, 1, NO_MS),
            (*other, Outcome.ERROR, NOON + 2, 0, 0, NO_MS),
            (*key, Outcome.ACCEPTED, NOON + 3, 2, 0, NO_MS),
        ]
        both = (DEFAULT_PROJECT, "other")
        for fold in (False, True, True):
            assert counted(store, both, NOON, TOMORROW) == expected
            assert counted(store, both[:1], NOON, TOMORROW) == expected[:3]
            assert counted(store, both, NOON + 1, NOON + 3) == expected[1:3]
            assert counted(store, both, TOMORROW, TOMORROW + 1) == []
            if fold:
                for project in both:
                    store.fold_receipts(project, TOMORROW)
