"""Decodes Stepwise's request into a batch of samples; it is validated as a whole."""

import msgspec

from uptake.formats.base import MALFORMED, WireRequest
from uptake.formats.user_search import users_named
from uptake.formats.stepwise.wire import Upload
from uptake.model.items import SampleBatch, user_id_fault
from uptake.model.submission import Fault, Owners, Submission, rejected
from uptake.samples import columns

_decoder = msgspec.json.Decoder(Upload)


def decode(request: WireRequest) -> Submission:
    """Returns the samples of a request, or a rejection with the reason."""
    try:
        upload = _decoder.decode(request.body)
        batch = _batch(upload)
    except (*MALFORMED, ValueError) as error:
        return rejected([Fault("unacceptable", str(error))], request.body, find_users(request))
    if fault := user_id_fault(upload.member):
        return rejected(
            [Fault("unacceptable", f"member {fault}")], request.body, find_users(request)
        )
    return Submission(items=(batch,))


def find_users(request: WireRequest) -> Owners:
    """Returns the member of a rejected request, as far as it can be read."""
    return users_named(request.body, "member")


def _batch(upload: Upload) -> SampleBatch:
    samples = [
        columns.Sample(upload.band, walk.begin, "count", walk.steps, end_date=walk.end)
        for walk in upload.walks
    ]
    steps = columns.latest(columns.read(samples))
    return SampleBatch(upload.member, "steps", steps, len(samples))
