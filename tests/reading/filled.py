"""A store that has received samples of a user."""

from samples.making import SentSample, columns_of
from uptake.reading.series import UserData
from uptake.samples import columns
from uptake.store.records import BatchRecord, Entry
from uptake.testing.store.making import NOON, attributes, entry, unique
from uptake.testing.store.model import ModelStore


def send(store: ModelStore, received: list[SentSample], metric: str = "steps") -> None:
    """Commit samples as one upload of a user."""
    batch = columns_of(received)
    encoded = columns.to_bytes(batch)
    first, last = int(batch.start[0]), int(batch.start[-1])
    digest = columns.digest(encoded)
    record = BatchRecord("anna", metric, digest, first, last, len(batch), encoded, len(batch))  # type: ignore[arg-type]
    store.commit([Entry("default", unique("request"), NOON, (record,))])


def filled(received: list[list[SentSample]], metric: str = "steps") -> ModelStore:
    """A store that has received these uploads."""
    store = ModelStore()
    store.commit([entry(attributes("anna"))])
    for upload in received:
        send(store, upload, metric)
    return store


def data_of(store: ModelStore, user_id: str = "anna", project: str = "default") -> UserData:
    """The stored data of a user."""
    return UserData(store, project, user_id)
