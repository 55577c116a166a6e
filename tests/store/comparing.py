"""What is compared of a store and the model in memory."""

from msgspec.structs import replace

from uptake.model.ids import Secrets
from uptake.samples.metrics import METRICS, Metric
from uptake.store.base import Store
from uptake.store.records import BatchRecord, Entry, Written
from uptake.store.stored import Change
from uptake.testing.store.making import EVER, StoredContent, unfolded, unique
from uptake.testing.store.model import ModelStore
from uptake.testing.store.model_tables import Rows


class ModelWithRetention(ModelStore):
    """Also deletes samples by the time they were received."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(secrets)
        self._received: dict[tuple[str, ...], int] = {}

    def _write_batch(self, rows: Rows, entry: Entry, record: BatchRecord) -> Written:
        key = entry.project, record.user_id, record.metric, record.digest.hex()
        self._received[key] = entry.received_at
        return super()._write_batch(rows, entry, record)

    def expire_samples(self, project: str, metric: str, before: int) -> int:
        """Delete samples of a metric, or of all; returns their number."""
        rows = self._rows_of(project)
        due = {
            key: record
            for key, (_, record) in rows.batches.items()
            if self._received[project, key[0], key[1], key[2].hex()] < before
            and metric in {"", key[1]}
        }
        for gone in due:
            del rows.batches[gone]
        if due:
            users = sorted({user_id for user_id, *_ in due})
            rows.changes.append(Change(unique("change"), users, []))
        return sum(record.count for record in due.values())


def ranked(found: list[StoredContent]) -> list[StoredContent]:
    """Batches with their place in the order received as sequence."""
    order = sorted(one.sequence for one in found)
    return [replace(one, sequence=order.index(one.sequence)) for one in found]


def all_batches(project: str, user_id: str, store: Store) -> list[list[StoredContent]]:
    """The batches of each metric of a user."""
    return [ranked(unfolded(store.batches(project, user_id, metric, *EVER))) for metric in METRICS]


def between(
    owner: tuple[str, str, Metric], start: int, end: int, store: Store
) -> list[StoredContent]:
    """The batches of a project, user and metric with samples in a time."""
    found = unfolded(store.batches(*owner, start, end))
    return ranked([one for one in found if one.first <= end and one.last >= start])


def bounds(project: str, user_id: str, store: Store) -> dict[str, tuple[int, int]]:
    """The starts of the first and the last sample of each metric."""
    spans = store.spans(project, user_id)
    return {
        metric: (min(span.first for span in own), max(span.last for span in own))
        for metric in METRICS
        if (own := [span for span in spans if span.metric == metric])
    }


def sampled(project: str, metric: Metric, store: Store) -> list[str]:
    """The users with samples of a metric, sorted."""
    return sorted(store.users_with_samples(project, metric))
