"""A block of receipts is decoded to what was encoded, and its ids are found."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from uptake.model import clock, ids
from uptake.store.receipt_blocks import (
    Placed,
    day_of,
    day_of_id,
    decode,
    encode,
    has_own_time,
    needle,
)
from uptake.store.stored import ReceiptItem, StoredReceipt
from uptake.testing.store.making import NOON

DAY = 86_400_000_000

items = st.builds(
    ReceiptItem,
    st.sampled_from(["document", "image", "samples", "attributes", "erased"]),
    st.integers(0, 5000),
    st.text(max_size=9),
    st.booleans(),
)
uuids = st.integers(0, (1 << 128) - 1).map(lambda number: str(UUID(int=number)))
timed_ids = st.builds(
    lambda moment, rest: str(
        UUID(
            int=(NOON // 1000 + moment) << 80 | 7 << 76 | rest >> 62 << 64 | 2 << 62 | rest % 2**62
        )
    ),
    st.integers(-100_000_000, 100_000_000),
    st.integers(0, (1 << 74) - 1),
)
receipts = st.builds(
    StoredReceipt,
    uuids | timed_ids | st.text("abc-XYZ019", min_size=1, max_size=64),
    st.integers(NOON, NOON + DAY // 2) | st.integers(0, 2**52),
    st.text(max_size=9),
    st.text(max_size=9),
    st.just("anna"),
    st.lists(items, max_size=3).map(tuple),
    st.none() | st.tuples(st.text(max_size=9), st.text(max_size=9)),
    st.integers(0, 5000),
    st.integers(0, 599),
    st.text(max_size=9),
)


@given(st.lists(st.tuples(receipts, st.integers(0, 999)), min_size=1, max_size=20))
def test_a_block_is_decoded_to_what_was_encoded(made: list[tuple[StoredReceipt, int]]) -> None:
    """Receipts with ids that have their time, and the others, each in blocks of their own."""
    for timed in (True, False):
        some = sorted(
            (
                Placed(one.received_at, place, one)
                for one, place in made
                if has_own_time(one) == timed
            ),
            key=lambda placed: placed[:2],
        )
        if some:
            found, data = encode(some, timed=timed)
            assert decode("anna", found, data, timed=timed) == some
            for placed in some:
                assert needle(placed.receipt.request_id, timed=timed) in found


def test_ids_of_this_server_have_their_time() -> None:
    """So that their receipts are looked up by it."""
    before = clock.now()
    assert day_of(before) <= (day_of_id(ids.time_ordered()) or 0) <= day_of(clock.now())


def test_other_ids_have_no_time() -> None:
    """Whatever is not written exactly as a server writes a UUID of version 7."""
    own = "018bcfe5-6800-7abc-9000-000000000001"
    assert day_of_id(own) == NOON // DAY
    assert day_of_id(own.upper()) is None
    assert day_of_id(own.replace("-", "")) is None
    assert day_of_id(own.replace("-7", "-4")) is None
    assert day_of_id(own.replace("-9", "-c")) is None
    assert day_of_id(own + "\n") is None
    assert day_of_id("") is None
