"""Decodes a Gerosense request into a batch of samples.

A request without faults is decoded into columns at once. A request with faults is validated sample
by sample (`validate`), and its valid samples are accepted.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from uptake.formats.base import MALFORMED, WireRequest
from uptake.formats.gerosense.validate import PlainSample, read_columns, validate
from uptake.formats.gerosense.wire import MAX_SAMPLES, MAX_VALUES, MIN_SAMPLES
from uptake.formats.user_search import one_user, users_named
from uptake.model.items import SampleBatch, user_id_fault
from uptake.model.submission import Owners, Submission
from uptake.samples import columns
from uptake.samples.columns import Columns
from uptake.samples.metrics import METRICS


class _UploadV11(msgspec.Struct):
    data_type: str
    data: list[PlainSample]


class _UploadV22(_UploadV11, kw_only=True):
    user_id: str


_v1_1 = msgspec.json.Decoder(_UploadV11)
_v2_2 = msgspec.json.Decoder(_UploadV22)


def find_v1_1(request: WireRequest) -> Owners:
    """The user that the API key is bound to; the body's `user_id` is ignored."""
    return one_user(request.bound_user or "")


def find_v2_2(request: WireRequest) -> Owners:
    """The users that the body names, whatever the JSON type of `user_id` is."""
    return users_named(request.body, "user_id")


def decode_v1_1(request: WireRequest) -> Submission:
    """Returns the samples of the user that the API key is bound to."""
    return _decode(_v1_1, request, find_v1_1)


def decode_v2_2(request: WireRequest) -> Submission:
    """Returns the samples of the user that the request names."""
    return _decode(_v2_2, request, find_v2_2)


def _decode(
    decoder: msgspec.json.Decoder[_UploadV11] | msgspec.json.Decoder[_UploadV22],
    request: WireRequest,
    find: Callable[[WireRequest], Owners],
) -> Submission:
    bound_user = request.bound_user or ""
    try:
        upload = decoder.decode(request.body)
        user_id = upload.user_id if isinstance(upload, _UploadV22) else bound_user
        if _is_valid(upload, user_id):
            samples = read_columns(upload.data)
            if _are_valid(samples):
                metric: Any = upload.data_type
                batch = SampleBatch(user_id, metric, columns.latest(samples), len(samples))
                return Submission(items=(batch,))
    except (*MALFORMED, ValueError):
        pass
    return validate(request.body, None if decoder is _v2_2 else bound_user, lambda: find(request))


def _is_valid(upload: _UploadV11, user_id: str) -> bool:
    return (
        upload.data_type in METRICS
        and user_id_fault(user_id) is None
        and MIN_SAMPLES <= len(upload.data) <= MAX_SAMPLES
    )


def _are_valid(samples: Columns) -> bool:
    highest = _HIGHEST[samples.unit]
    return (
        all(map(str.strip, samples.devices))
        and bool((samples.value > 0).all())
        and bool((samples.value <= highest).all())
    )


_HIGHEST = np.array([MAX_VALUES[unit] for unit in columns.UNITS])
