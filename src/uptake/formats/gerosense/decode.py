"""From a Gerosense request to a batch of samples.

A request in which everything is right is decoded into columns at once. One in which anything is
wrong is judged sample by sample (`judge`), and what is right of it is taken.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from uptake.formats.base import MALFORMED, WireRequest
from uptake.formats.gerosense.owners import find_v1_1, find_v2_2
from uptake.formats.gerosense.validate import PlainSample, read_columns, validate
from uptake.formats.gerosense.wire import MAX_SAMPLES, MAX_VALUES, MIN_SAMPLES
from uptake.model.items import METRICS, SampleBatch, user_id_fault
from uptake.model.submission import Owners, Submission
from uptake.samples import columns
from uptake.samples.columns import Columns


class _UploadV11(msgspec.Struct):
    data_type: str
    data: list[PlainSample]


class _UploadV22(_UploadV11, kw_only=True):
    user_id: str


_v1_1 = msgspec.json.Decoder(_UploadV11)
_v2_2 = msgspec.json.Decoder(_UploadV22)


def decode_v1_1(request: WireRequest) -> Submission:
    """The samples of a request about the user that the key is bound to."""
    return _decode(_v1_1, request, find_v1_1)


def decode_v2_2(request: WireRequest) -> Submission:
    """The samples of a request about the user that it names."""
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
        if _is_sound(upload, user_id):
            told = read_columns(upload.data)
            if _are_sound(told):
                metric: Any = upload.data_type
                batch = SampleBatch(user_id, metric, columns.latest(told), len(told))
                return Submission(items=(batch,))
    except (*MALFORMED, ValueError):
        pass
    return validate(request.body, None if decoder is _v2_2 else bound_user, lambda: find(request))


def _is_sound(upload: _UploadV11, user_id: str) -> bool:
    return (
        upload.data_type in METRICS
        and user_id_fault(user_id) is None
        and MIN_SAMPLES <= len(upload.data) <= MAX_SAMPLES
    )


def _are_sound(samples: Columns) -> bool:
    highest = _HIGHEST[samples.unit]
    return (
        all(map(str.strip, samples.devices))
        and bool((samples.value > 0).all())
        and bool((samples.value <= highest).all())
    )


_HIGHEST = np.array([MAX_VALUES[unit] for unit in columns.UNITS])
