"""A project with something of every kind, and what an export of it must hold."""

from pathlib import Path

from samples.making import SentSample, columns_of
from uptake.blobs import Blobs, open_blobs
from uptake.model.items import Attributes
from uptake.model.submission import Fault
from uptake.samples import columns
from uptake.samples.metrics import Metric
from uptake.store.base import Store
from uptake.store.definitions import DEFAULT_PROJECT
from uptake.store.records import (
    BatchRecord,
    DocumentRecord,
    Entry,
    ImageRecord,
    Record,
    RejectionRecord,
)
from uptake.testing.store.making import NOON, digest_of, unique

SECOND = 1_000_000
FORMULAS = ("=1+1", "+1", "-1", "@cmd", '"q"', "a,b", "line\nbreak", "\u00fc \U0001f600", "")
"""Values that a spreadsheet, or a careless writer of CSV, would change."""


def sample(start: str, value: float = 1.0, **members: str | None) -> SentSample:
    """Return a sample with defaults for everything that a test does not need."""
    end = members.get("end")
    return SentSample(
        members.get("device") or "Watch",
        members.get("version"),
        start,
        end,
        members.get("unit") or "count",
        value,
    )


def batch(user_id: str, samples: list[SentSample], metric: Metric = "steps") -> BatchRecord:
    """Return samples as a batch to store."""
    built = columns_of(samples)
    encoded = columns.to_bytes(built)
    ends = int(built.start[0]), int(built.start[-1])
    digest = columns.digest(encoded)
    return BatchRecord(user_id, metric, digest, *ends, len(built), encoded, len(samples))


def commit(
    store: Store,
    *records: Record,
    at: int = NOON,
    project: str = DEFAULT_PROJECT,
    rejections: tuple[RejectionRecord, ...] = (),
) -> None:
    """Store the items of a request."""
    store.commit([Entry(project, unique("request"), at, records, rejections)])


def rejection(rejection_id: str, raw: bytes, **members: str | int | None) -> RejectionRecord:
    """A rejection of an item with one fault."""
    return RejectionRecord(
        str(members.get("user_id") or ""),
        rejection_id,
        "gerosense-v2.2",
        "key-1",
        members.get("position"),  # type: ignore[arg-type]
        (Fault("missing", "value is missing", ("value",)),),
        raw,
        members.get("blob"),  # type: ignore[arg-type]
    )


def blobs_in(folder: Path) -> Blobs:
    """A blob store in a folder."""
    return open_blobs((folder / "blobs").as_uri())


SAMPLES = [
    sample("2025-01-01T00:00:00+01:00", 12, end="2025-01-01T00:01:00.5+01:00", version="17.0.3"),
    sample("2025-01-01T08:00:00Z", 0.1, device="=SUM(A1)", unit="count/s"),
    sample("2025-02-28T23:59:59.1234567-05:30", 5e-324, end="2025-03-01T05:30:00Z", version=""),
    sample(
        "9999-12-31T23:59:59Z", 1.7976931348623157e308, device='\u00fc, "q"\n', unit="count/min"
    ),
]
"""In order: every unit, with and without versions and ends, in several time formats."""


def fill(store: Store, blobs: Blobs) -> None:
    """Store data of every kind for several users, and samples in another project."""
    commit(
        store, batch("anna", SAMPLES), batch("anna", [sample("2025-01-01T00:00:00Z", 60)], "bpm")
    )
    commit(store, batch("bert", SAMPLES[1:2]), at=NOON + SECOND)
    names = tuple(f"n{i}" for i in range(len(FORMULAS)))
    commit(store, Attributes("carl", names, list(FORMULAS)), at=NOON + 2 * SECOND)
    commit(store, Attributes("anna", ("n0", "=x"), ["null", ""]), at=NOON + 3 * SECOND)
    data = b'{"a":\n [1, 1e5, "\\u00fc"], "b": "\xc3\xbc"}'
    commit(store, DocumentRecord("anna", "doc-2", "mood", data), at=NOON + 4 * SECOND)
    commit(store, DocumentRecord("bert", "doc-1", "diary/x", b"{}"), at=NOON + 5 * SECOND)
    blobs.put("rejected/large", b'{"large": true}')
    commit(
        store,
        at=NOON + 6 * SECOND,
        rejections=(
            rejection("r-1", b'{"value":\r\n null}', user_id="anna", position=2),
            rejection("r-2", b"\xff\x00", user_id="bert"),
            rejection("r-3", b"", blob="rejected/large"),
        ),
    )
    commit(store, batch("anna", [sample("2025-01-01T00:00:00Z")]), project="other")


def image(blobs: Blobs, user_id: str, content: bytes) -> ImageRecord:
    """Store the bytes of an image and return its record."""
    name = f"images/{digest_of(user_id).hex()}"
    blobs.put(name, content)
    return ImageRecord(
        user_id,
        digest_of("x"),
        10,
        unique("image") + ".png",
        digest_of("y").hex(),
        len(content),
        name,
        "image/png",
        4,
        3,
        first_id=1_000_001,
    )
