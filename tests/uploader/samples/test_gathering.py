"""Properties of the requests that are gathered, for any sources, limits and memory."""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from uploader.sending import Sample, sample
from uptake.formats.gerosense.encode import WIRES
from uptake.uploader.context import UploadContext
from uptake.uploader.ledger import Ledger, read_ledger
from uptake.uploader.ledger.runs import begin
from uptake.uploader.ledger.samples import fold
from uptake.uploader.rejected_rows import RejectedRows
from uptake.uploader.samples.gathering import Gathering
from uptake.uploader.samples.jobs import SamplesJob
from uptake.uploader.sources import SAMPLES
from uptake.uploader.tally import Tally

LEAST, MOST = 3, 7
WIRE = replace(WIRES[1], least=LEAST, most=MOST)

samples = st.builds(
    sample,
    st.sampled_from(["ann", "ben"]),
    st.integers(0, 12),
    st.integers(-1, 3).map(float),
    metric=st.sampled_from(["steps", "bpm"]),
)
sources = st.lists(st.lists(samples, max_size=30), max_size=4)


@dataclass
class Receiver:
    """Stores the last sample of each identity; rejects values that are not positive.

    Attributes:
        held: value by user, metric and start.
        requests: the number of received requests.
    """

    held: dict[tuple[str, str, str], float] = field(default_factory=dict)
    requests: int = 0

    def take(self, job: SamplesJob, *, lost: bool = False) -> None:
        """Store the samples of a request, and answer it unless the answer is lost."""
        job.sent()
        body = msgspec.json.decode(job.request().body)
        data = body["data"]
        assert LEAST <= len(data) <= MOST
        errors = []
        for index, one in enumerate(data):
            if one["value"] > 0:
                key = body["user_id"], body["data_type"], one["start_date"]
                self.held[key] = one["value"]
            else:
                errors.append({"index": index, "field": "value", "code": "low", "message": "low"})
        self.requests += 1
        if not lost:
            rejected = len(errors)
            answer = {"accepted": len(data) - rejected, "rejected": rejected, "errors": errors}
            status = 200 if not rejected else 207 if rejected < len(data) else 400
            assert job.answered(status, msgspec.json.encode(answer)) == []


def run(
    ledger: Ledger,
    receiver: Receiver,
    batches: list[list[Sample]],
    room: int,
    *,
    lost: bool = False,
) -> Tally:
    """One run over batches of a source, with so many bytes of memory."""
    started = begin(ledger, "http://x", WIRE.name)
    tally = Tally()

    def put(job: Any) -> None:
        receiver.take(job, lost=lost)

    gathering = Gathering(
        UploadContext(WIRE, started, tally, RejectedRows(None), put), max_bytes=room
    )
    for number, batch in enumerate(batches):
        numbered = [{**one, "line": line} for line, one in enumerate(batch, 1)]
        gathering.add(pa.RecordBatch.from_pylist(numbered, SAMPLES), f"file-{number}")
    gathering.finish()
    fold(started, gathering.replaced)
    return tally


def wanted(batches: list[list[Sample]]) -> dict[tuple[str, str, str], float]:
    """The values that the receiver should have stored: the last accepted of each identity."""
    return {
        (one["user_id"], one["metric"], one["start_date"]): one["value"]
        for batch in batches
        for one in batch
        if one["value"] > 0
    }


def fresh() -> Ledger:
    """A ledger in memory."""
    return read_ledger(Path(tempfile.gettempdir()) / "there-is-no-such.ledger")


def check(ledger: Ledger, receiver: Receiver, batches: list[list[Sample]], tally: Tally) -> None:
    """No sample is left, and all but waiting samples are stored in their last version."""
    assert tally.left == 0
    waiting = {
        (user, metric, msgspec.json.decode(item)["start_date"])
        for user, metric, item in ledger.rows("SELECT user_id, metric, item FROM waiting")
    }
    assert len(waiting) <= 4 * (LEAST - 1)
    want = wanted(batches)
    there = {key: value for key, value in want.items() if key not in waiting}
    assert {key: receiver.held.get(key) for key in there} == there


@settings(deadline=None)
@given(sources, st.sampled_from([0, 10**9]))
def test_the_last_versions_arrive_and_a_second_run_sends_nothing(
    batches: list[list[Sample]], room: int
) -> None:
    """For any batches, also with no memory."""
    ledger, receiver = fresh(), Receiver()
    check(ledger, receiver, batches, run(ledger, receiver, batches, room))
    before = receiver.requests
    waiting = ledger.rows("SELECT 1 FROM waiting")
    again = run(ledger, receiver, batches, 10**9)
    check(ledger, receiver, batches, again)
    if room and not waiting:
        assert receiver.requests == before
    ledger.close()


@settings(deadline=None)
@given(sources, sources, sources)
def test_the_next_runs_correct_a_run_that_lost_all_answers(
    first: list[list[Sample]], second: list[list[Sample]], third: list[list[Sample]]
) -> None:
    """The receiver has stored samples that are not in the ledger."""
    ledger, receiver = fresh(), Receiver()
    run(ledger, receiver, first, 10**9)
    run(ledger, receiver, second, 10**9, lost=True)
    check(ledger, receiver, third, run(ledger, receiver, third, 10**9))
    everything = [*first, *second, *third]
    check(ledger, receiver, everything, run(ledger, receiver, everything, 10**9))
    ledger.close()
