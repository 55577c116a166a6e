"""Test vectors of segments: users, filters, and the users that match each filter.

They are JSON files beside the code that evaluates filters, and apply to every implementation of the
filter language. Times are relative to now.
"""

import importlib.resources
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from uptake.model import clock
from uptake.model.items import Attributes
from uptake.samples import columns
from uptake.samples.metrics import Metric
from uptake.store.base import Store
from uptake.store.definitions import FIRST_VERSION, TypeVersion
from uptake.store.records import BatchRecord, DocumentRecord, Entry, Record
from uptake.time_units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND


class Sample(Struct, frozen=True, forbid_unknown_fields=True):
    """A sample without an end, at a time of the day so many days before today in UTC."""

    metric: Metric
    days_ago: int
    time: str
    value: float
    offset: str = "Z"
    device: str = "Band"


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """A document, received so many times 24 hours ago."""

    type: str
    days_ago: float


class Person(Struct, frozen=True, forbid_unknown_fields=True):
    """A user, first and last seen so many times 24 hours ago."""

    attributes: dict[str, str] = {}
    first_days_ago: float = 0
    last_days_ago: float = 0
    documents: list[Document] = []
    samples: list[Sample] = []


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """A filter and the users that match it, or the pointers and codes of its errors."""

    name: str
    filter: Any
    users: list[str] | None = None
    errors: list[tuple[str, str]] | None = None


class Vector(Struct, frozen=True, forbid_unknown_fields=True):
    """Users, and filters to evaluate."""

    description: str
    users: dict[str, Person]
    cases: list[Case]
    document_types: list[str] = []


def vectors() -> dict[str, Vector]:
    """All vectors of the package, by name."""
    folder = importlib.resources.files("uptake.reading.segments") / "vectors"
    return {
        file.name.removesuffix(".json"): msgspec.json.decode(file.read_bytes(), type=Vector)
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".json")
    }


def store_users(vector: Vector, store: Store, project: str) -> None:
    """Store the users of a vector."""
    now = clock.now()
    for name in vector.document_types:
        store.add_type_version(project, name, TypeVersion(FIRST_VERSION, None, now))
    entries = []
    for user_id, person in vector.users.items():
        records: list[tuple[float, Record]] = [
            (person.first_days_ago, Attributes(user_id, (), ())),
            (person.last_days_ago, _attributes(user_id, person)),
        ]
        for number, document in enumerate(person.documents):
            upload_id = f"{project} {user_id} {number}"
            record = DocumentRecord(user_id, upload_id, document.type, b"{}")
            records.append((document.days_ago, record))
        records += [
            (person.last_days_ago, _batch(user_id, sample, now)) for sample in person.samples
        ]
        entries += [
            Entry(project, "vector", now - int(days_ago * MICROSECONDS_PER_DAY), (record,))
            for days_ago, record in records
        ]
    store.commit(entries)


def _attributes(user_id: str, person: Person) -> Attributes:
    return Attributes(user_id, tuple(person.attributes), list(person.attributes.values()))


def _batch(user_id: str, sample: Sample, now: int) -> BatchRecord:
    today = datetime.fromtimestamp(now // MICROSECONDS_PER_SECOND, UTC).date()
    day = today - timedelta(days=sample.days_ago)
    start = f"{day}T{sample.time}{sample.offset}"
    unit = "count" if sample.metric == "steps" else "count/min"
    batch = columns.read([columns.Sample(sample.device, start, unit, sample.value)])
    encoded = columns.to_bytes(batch)
    first, last = int(batch.start[0]), int(batch.start[-1])
    digest = columns.digest(encoded)
    return BatchRecord(user_id, sample.metric, digest, first, last, len(batch), encoded, len(batch))
