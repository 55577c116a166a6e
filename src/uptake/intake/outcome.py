"""What became of a submission, after what was written of it."""

from collections.abc import Sequence

from uptake.intake.accept import Judged, key_reused
from uptake.model.items import Attributes, Document, SampleBatch
from uptake.model.problems import Kinds, Problem
from uptake.model.receipt import (
    Kept,
    Receipt,
    StoredAttributes,
    StoredDocument,
    StoredImage,
    StoredSamples,
)
from uptake.store.receipts import duplicates_in
from uptake.store.records import (
    DocumentRecord,
    Erased,
    ImageRecord,
    Written,
    WrittenDocument,
    WrittenImage,
)


def receipt(judged: Judged, written: Sequence[Written]) -> Receipt:
    """What became of every item, after what was written of it.

    Those of users who were erased are in no list: they are not kept, and why is not remembered.

    Raises:
        Problem: `ERASED`, when nothing is kept because of that.
    """
    kept: list[Kept] = []
    rejections = list(judged.rejections)
    for item, record, stands in zip(judged.items, judged.entry.records, written, strict=True):
        if isinstance(stands, Erased):
            continue
        if isinstance(item, Attributes):
            kept.append(StoredAttributes(item.user_id))
        elif isinstance(stands, WrittenDocument) and isinstance(record, DocumentRecord):
            if stands.digest == record.digest:
                kept.append(StoredDocument(record.upload_id, replayed=not stands.new))
            elif isinstance(item, Document):
                rejections.append(key_reused(item))
        elif isinstance(stands, WrittenImage) and isinstance(record, ImageRecord):
            kept.append(StoredImage(stands.image_id, stands.name, record.uploaded_bytes))
        elif isinstance(item, SampleBatch):
            kept.append(StoredSamples(item.received))
    if not kept and any(isinstance(stands, Erased) for stands in written):
        raise Problem(Kinds.ERASED)
    duplicates = duplicates_in(judged.entry.records, written)
    return Receipt(judged.entry.received_at, tuple(kept), tuple(rejections), duplicates)
