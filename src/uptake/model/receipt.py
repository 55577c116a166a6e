"""The outcome of a submission, known after it is durable."""

import msgspec

from uptake.model.items import Attributes
from uptake.model.submission import Rejection


class StoredDocument(msgspec.Struct, frozen=True):
    """A document is stored under this id; `replayed` if an earlier upload stored it."""

    upload_id: str
    replayed: bool = False


class StoredAttributes(msgspec.Struct, frozen=True):
    """The attributes of this many users are stored.

    Attributes:
        count: of the users.
        items: the attributes, in order of the rows.
    """

    count: int
    items: tuple[Attributes, ...] = ()


class StoredImage(msgspec.Struct, frozen=True):
    """An image is stored.

    Attributes:
        image_id: its number within the project.
        name: the last part of its URL; cannot be guessed.
        uploaded_bytes: the size of the upload.
    """

    image_id: int
    name: str
    uploaded_bytes: int


class StoredSamples(msgspec.Struct, frozen=True):
    """This many samples of a batch are stored, counting repeats within the batch."""

    count: int


Stored = StoredDocument | StoredAttributes | StoredImage | StoredSamples


class Receipt(msgspec.Struct, frozen=True):
    """Exactly one outcome for every item of a submission.

    Attributes:
        received_at: microseconds since the epoch.
        stored: the accepted items: attributes first, then the others in the order of the
            submission.
        rejections: one for each rejected item, in order of index.
        duplicates: accepted items that changed nothing, because they were stored already. Samples
            are counted one by one: those of a batch that was received before, and those that occur
            more than once in their batch.
        committed: False for a replay that was rejected again, which changes nothing.
    """

    received_at: int
    stored: tuple[Stored, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    duplicates: int = 0
    committed: bool = True
