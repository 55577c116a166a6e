"""What a store must do about refusals."""

from uptake.store.base import Store
from uptake.store.records import KeptRejection
from uptake.testing.store.making import NOON, entry, rejection
from uptake.testing.store.opening import OpensStore


class Rejections(OpensStore):
    """Whatever was refused is kept with its reasons and as it was sent."""

    def test_a_refusal_comes_back_as_it_was(self, store: Store) -> None:
        """With every fault, its place, and any bytes at all."""
        refusal = rejection("r-1", user_id="\u00e5sa", raw=bytes(range(256)), position=999)
        received = entry(rejections=(refusal,))
        store.commit([received])
        expected = KeptRejection(refusal, received.request_id, NOON)
        assert store.rejections("default", "", 10) == [expected]

    def test_a_refusal_may_be_of_a_whole_request(self, store: Store) -> None:
        """Then it has no position, perhaps no user and perhaps no bytes of its own."""
        refusals = (rejection("r-1", raw=b""), rejection("r-2", raw=b"", raw_blob="rejected/x"))
        store.commit([entry(rejections=refusals)])
        kept = [kept.record for kept in store.rejections("default", "", 10)]
        assert kept == list(refusals)
        assert [record.position for record in kept] == [None, None]

    def test_refusals_page_in_order_of_id(self, store: Store) -> None:
        """After an id, at most so many, whosever they are and however they were written."""
        for group in (("07", "02"), ("09", "00", "05"), ("01",), ("08", "03")):
            store.commit(
                [entry(rejections=(rejection(name, user_id=f"u{name}"),)) for name in group]
            )
        paged: list[list[str]] = []
        after = ""
        while page := store.rejections("default", after, 3):
            paged.append([kept.record.rejection_id for kept in page])
            after = paged[-1][-1]
        assert paged == [["00", "01", "02"], ["03", "05", "07"], ["08", "09"]]

    def test_refusals_belong_to_their_project(self, store: Store) -> None:
        """Nobody reads those of another."""
        store.commit([entry(rejections=(rejection("r-1"),), project="one")])
        store.commit([entry(rejections=(rejection("r-2"),), project="two")])
        found = [store.rejections(name, "", 10) for name in ("one", "two", "default")]
        assert [[kept.record.rejection_id for kept in page] for page in found] == [
            ["r-1"],
            ["r-2"],
            [],
        ]
