"""Deletion of samples, compared with a dict, while batches are folded."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from store.engines import open_sqlite
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.testing.store.deletions import LEAST, STEPS, samples_of, values_batch
from uptake.testing.store.making import EVER, put

TICKS = st.integers(0, 40)
uploads = st.tuples(st.sets(TICKS, min_size=1, max_size=8), st.integers(1, 9))
ranges = st.tuples(TICKS, TICKS)
steps = st.lists(uploads | ranges.map(lambda one: (*one, None)) | st.just(()), max_size=20)


@settings(max_examples=40)
@given(steps)
def test_what_is_read_is_what_was_not_deleted(calls: list[tuple[object, ...]]) -> None:
    """Whatever is uploaded, folded and deleted, in whatever order; spans agree with samples."""
    with TemporaryDirectory() as folder:
        store = open_sqlite(Path(folder) / "uptake.db")
        expected: dict[int, float] = {}
        for call in calls:
            match call:
                case (set() as starts, int(value)):
                    put(store, values_batch(*sorted(starts), value=value))
                    expected |= dict.fromkeys(starts, value)
                case (int(start), int(end), None):
                    store.delete_samples(*STEPS, start, end)
                    expected = {
                        at: value for at, value in expected.items() if not start <= at < end
                    }
                case _:
                    store.fold(DEFAULT_PROJECT, LEAST, lambda: False)
            assert samples_of(store) == expected
        spans = store.spans(*STEPS)
        assert {span.first for span in spans} <= expected.keys()
        assert max((span.last for span in spans), default=None) == max(expected, default=None)
        assert store.delete_samples(*STEPS, *EVER) >= len(expected)
        assert store.spans(*STEPS) == []
        store.close()


def test_many_rows_are_written_again_page_by_page(tmp_path: Path) -> None:
    """More batches than one transaction has, each of which begins before the range."""
    store = open_sqlite(tmp_path / "uptake.db")
    count = 150
    put(store, *(values_batch(number, 1000, value=number + 1) for number in range(count)))
    assert store.delete_samples(*STEPS, 1000, 1001) == count
    assert samples_of(store) == {number: number + 1 for number in range(count)}
    store.close()
