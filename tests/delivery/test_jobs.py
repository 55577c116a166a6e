"""Requests of relays: split, filled up, and settled item by item."""

from collections.abc import Iterator

import msgspec
import pytest

from uptake.delivery.batching import Batching, Items, batching
from uptake.delivery.jobs import RelayJob
from uptake.formats.encoder import AnyWire, Unclear
from uptake.samples.columns import Columns, Sample, from_bytes, latest, read, rows, to_bytes
from uptake.store.relay_ports import OutboxEntry, Settled
from uptake.uploader.sending.schedule import Job
from uptake.uploader.wires import all_wires

WIRES: dict[str, AnyWire] = {wire.name: wire for wire in all_wires()}
NOW = 1_000_000


class Batch:
    """Entries into requests, and the outcomes of these."""

    def __init__(self, name: str, wire: AnyWire | None = None) -> None:
        nothing: Items = None  # type: ignore[assignment]  # samples and attributes are not read
        self.settled: list[Settled] = []
        self.batching: Batching = batching(
            wire or WIRES[name],
            "default",
            nothing,
            None,  # type: ignore[arg-type]
            self.settled.append,
        )

    def jobs(self, *entries: OutboxEntry) -> list[RelayJob]:
        """The requests of entries."""

        def made() -> Iterator[RelayJob]:
            for entry in entries:
                yield from self.batching.add(entry, NOW)
            yield from self.batching.finish()

        return list(made())


def columns(*values: int, first: int = 0) -> Columns:
    """Samples with these values, one for each minute."""
    times = (divmod(first + i, 60) for i in range(len(values)))
    starts = [f"2024-05-01T{hour:02}:{minute:02}:00Z" for hour, minute in times]
    samples = [Sample("w", start, "count", one) for start, one in zip(starts, values, strict=True)]
    return latest(read(samples))


def samples(user_id: str, sequence: int, some: Columns, **members: object) -> OutboxEntry:
    """An entry of samples."""
    made = OutboxEntry(user_id, sequence, "samples", "steps", to_bytes(some), len(some), NOW)
    return msgspec.structs.replace(made, **members)


def attributes(user_id: str, sequence: int, **values: str) -> OutboxEntry:
    """An entry of attributes."""
    content = msgspec.msgpack.encode([list(values), list(values.values())])
    return OutboxEntry(user_id, sequence, "attributes", "", content, 1, NOW)


def values_of(job: Job) -> list[float]:
    """The values in a request of samples."""
    return [one["value"] for one in msgspec.json.decode(job.request().body)["data"]]


def test_entries_are_joined_up_to_the_most_of_a_request() -> None:
    """Those of a user and a metric; of equal samples the last one remains."""
    batch = Batch("gerosense-v2.2")
    full = columns(*range(1, 1000))
    jobs = batch.jobs(
        samples("7", 1, columns(5, 6, 7)),
        samples("7", 2, columns(9, first=1)),
        samples("7", 3, columns(60, 61), type="bpm"),
        samples("7", 4, full, count=999),
        samples("8", 1, columns(1, 2, 3)),
    )
    found = sorted((job.lanes[0], values_of(job)) for job in jobs)
    assert [(user, values) for user, values in found if len(values) < 9] == [
        ("7", [5, 9, 7]),
        ("7", [60, 61, 60]),
        ("8", [1, 2, 3]),
    ]
    assert len(found) == 4


def test_entries_of_a_user_wait_for_the_first() -> None:
    """Not those of others."""
    jobs = Batch("gerosense-v2.2").jobs(
        samples("7", 1, columns(1), due=NOW + 1),
        samples("7", 2, columns(2)),
        samples("8", 1, columns(3), due=NOW),
    )
    assert [job.lanes for job in jobs] == [("8",)]


def test_named_samples_are_rejected_and_the_others_accepted() -> None:
    """A sample that is repeated in its request is named by any of its places."""
    batch = Batch("gerosense-v2.2")
    three, one = batch.jobs(samples("7", 1, columns(1, 2, 3)), samples("8", 4, columns(9)))
    fault = {"index": 1, "field": "value", "code": "odd", "message": "no"}
    answer = {"accepted": 2, "rejected": 1, "errors": [fault]}
    assert three.answered(207, msgspec.json.encode(answer)) == []
    assert one.answered(207, msgspec.json.encode(answer)) == []
    first, second = batch.settled
    assert (first.sequences, first.reason, first.count) == ((1,), "value: no", 1)
    assert [row["value"] for row in rows(from_bytes(first.content))] == [2]
    assert [row["value"] for row in rows(from_bytes(second.content))] == [9]
    with pytest.raises(Unclear):
        three.answered(200, b'{"accepted": 1, "rejected": 0, "errors": []}')


def test_rejected_samples_that_are_not_named_are_searched() -> None:
    """In halves, down to one; a request that is too large is divided too."""
    batch = Batch("gerosense-v2.2")
    waiting: list[RelayJob] = batch.jobs(samples("7", 1, columns(*range(1, 10))))
    waiting = [part for job in waiting for part in job.parts()]
    requests = 0
    while waiting:
        job = waiting.pop()
        requests += 1
        waiting += job.answered(207 if 4 in values_of(job) else 200, b"")
    (settled,) = batch.settled
    assert (settled.sequences, settled.count) == ((1,), 1)
    assert [row["value"] for row in rows(from_bytes(settled.content))] == [4]
    assert "without naming it" in settled.reason
    assert requests < 9


def test_a_whole_request_that_is_rejected_is_dead() -> None:
    """With the text of the receiver."""
    batch = Batch("gerosense-v2.2")
    (job,) = batch.jobs(samples("7", 1, columns(1, 2, 3)), samples("7", 2, columns(4, first=9)))
    job.answered(404, b'{"code": "not_found", "message": "The user is not registered"}')
    (settled,) = batch.settled
    assert (settled.sequences, settled.count) == ((1, 2), 4)
    assert "not registered" in settled.reason


def test_users_with_the_same_attributes_share_a_request() -> None:
    """Each in one row with the last values; one that is rejected does not spoil the others."""
    batch = Batch("ptengine")
    jobs = batch.jobs(
        attributes("7", 1, city="Paris"),
        attributes("7", 2, city="Oslo"),
        attributes("8", 1, city="Rome"),
        attributes("9", 1, plan="pro"),
    )
    bodies = [msgspec.json.decode(_made(job)) for job in jobs]
    assert bodies == [
        {"field_name": ["user_id", "city"], "values": [["7", "Oslo"], ["8", "Rome"]]},
        {"field_name": ["user_id", "plan"], "values": [["9", "pro"]]},
    ]
    (again,) = jobs[0].answered(400, b'{"msg": "values[0][1]: unknown city", "timestamp": 1}')
    assert again.lanes == ["8"]
    again.answered(200, b'{"msg": "Success", "timestamp": 1}')
    rejected, accepted = batch.settled
    assert (rejected.sequences, rejected.reason) == ((1, 2), "values[0][1]: unknown city")
    assert msgspec.msgpack.decode(rejected.content) == [["city"], ["Oslo"]]
    assert (accepted.user_id, accepted.reason) == ("8", "")


def test_more_attributes_than_a_request_may_have_are_several_requests() -> None:
    """The entries have their outcome after the last of them."""
    batch = Batch("ptengine")
    entries = [attributes("7", n, **{f"a{n}-{i}": "x" for i in range(40)}) for n in range(1, 3)]
    jobs = batch.jobs(*entries)
    assert [len(msgspec.json.decode(_made(job))["field_name"]) for job in jobs] == [50, 32]
    for job in jobs:
        assert batch.settled == []
        job.answered(200, b'{"msg": "Success", "timestamp": 1}')
    assert batch.settled == [Settled("7", (1, 2))]


def _made(job: RelayJob) -> bytes:
    assert job.make()
    return job.request().body
