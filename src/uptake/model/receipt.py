"""What became of a submission, told after it is durable."""

import msgspec

from uptake.model.submission import Rejection


class StoredDocument(msgspec.Struct, frozen=True):
    """A document is kept under this id; `replayed` when an earlier upload had already made it."""

    upload_id: str
    replayed: bool = False


class StoredAttributes(msgspec.Struct, frozen=True, gc=False):
    """The attributes of this user are kept."""

    user_id: str


class StoredImage(msgspec.Struct, frozen=True):
    """An image is kept.

    Attributes:
        image_id: its number within the project.
        name: the last part of its URL; cannot be guessed.
        uploaded_bytes: how large the upload was.
    """

    image_id: int
    name: str
    uploaded_bytes: int


class StoredSamples(msgspec.Struct, frozen=True):
    """This many samples of a batch are kept, repeats within the batch included."""

    count: int


Kept = StoredDocument | StoredAttributes | StoredImage | StoredSamples


class Receipt(msgspec.Struct, frozen=True):
    """Exactly one outcome for every item of a submission.

    Attributes:
        received_at: microseconds since the epoch.
        kept: one for each accepted item, in the order of the submission.
        rejections: one for each rejected item, in order of index.
        duplicates: accepted items that changed nothing, because they were stored already. Samples
            are counted one by one: those of a batch that was received before, and those that stand
            more than once in their batch.
    """

    received_at: int
    kept: tuple[Kept, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    duplicates: int = 0
