"""Conformance suite: the requests of an interval are counted, folded or not."""

from uptake.store.base import Store
from uptake.testing.store.making import NOON, OpensStore, attributes, batch, put, rejection
from uptake.time_units import MICROSECONDS_PER_DAY


class RequestCountsSuite(OpensStore):
    """Requests are returned in columns, without their ids and users."""

    def test_requests_of_an_interval_are_counted(self, store: Store) -> None:
        """Those of the named projects, from its begin and before its end; also once folded."""
        store.add_project("counted", NOON)
        put(store, batch("7", "a"), project="counted", received_at=NOON)
        put(store, batch("7", "b"), project="counted", received_at=NOON + 1)
        put(store, attributes("8", a="1"), project="default", received_at=NOON + 1)
        rejected = (rejection(user_id="7"),)
        put(store, project="counted", received_at=NOON + 2, rejections=rejected)
        put(store, batch("7", "c"), project="counted", received_at=NOON + 3)
        for _ in range(2):
            found, since = store.counted_requests(["counted"], NOON + 1, NOON + 3)
            assert since == NOON + 1
            counted = sorted(
                zip(
                    found.moments.tolist(),
                    found.accepted.tolist(),
                    found.rejected.tolist(),
                    strict=True,
                )
            )
            assert counted == [(NOON + 1, 2, 0), (NOON + 2, 0, 1)]
            assert {found.table[kind][:2] for kind in found.kinds} == {("samples", "key-1")}
            store.fold_receipts("counted", NOON + MICROSECONDS_PER_DAY)
        found, _ = store.counted_requests(["unknown"], NOON, NOON + 3)
        assert len(found.moments) == 0
