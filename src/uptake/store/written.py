"""What a store returns for the records that it was given."""

from collections.abc import Sequence

from msgspec import Struct

from uptake.store.records import BatchRecord, DocumentRecord, Record


class WrittenDocument(Struct, frozen=True):
    """What stands under an upload id now: `digest` is that of whoever came first."""

    digest: bytes | None
    new: bool


class Erased(Struct, frozen=True):
    """Nothing stands there: the user was erased, and is not let in again."""


class Unchanged(Struct, frozen=True):
    """The batch, or each of the attributes, was stored already as it is."""


class NotStored(Struct, frozen=True):
    """Nothing of the entry is stored: a user would have more attributes than a user may have.

    Attributes:
        attributes: how many the record's user would have; 0 for the entry's other records.
        bytes: of their names and values.
    """

    attributes: int = 0
    bytes: int = 0


class WrittenImage(Struct, frozen=True):
    """Number and name under which an image stands now."""

    image_id: int
    name: str
    new: bool


Written = WrittenDocument | WrittenImage | Unchanged | NotStored | Erased | None
"""What a store returns for a record; None for samples and attributes that are new."""


def duplicates_in(records: Sequence[Record], written: Sequence[Written]) -> int:
    """Count the items that changed nothing, because they were stored already.

    Samples that occur more than once in a batch count from the second on.
    """
    return sum(
        _duplicates(record, outcome)
        for record, outcome in zip(records, written, strict=True)
        # New attributes are most of what is written, a hundred in a request: not one call each.
        if outcome is not None or type(record) is BatchRecord
    )


def _duplicates(record: Record, written: Written) -> int:
    if isinstance(record, BatchRecord) and written is None:
        return record.received - record.count
    if isinstance(written, Unchanged):
        return record.received if isinstance(record, BatchRecord) else 1
    if isinstance(written, WrittenImage):
        return int(not written.new)
    if isinstance(written, WrittenDocument) and isinstance(record, DocumentRecord):
        return int(not written.new and written.digest == record.digest)
    return 0
