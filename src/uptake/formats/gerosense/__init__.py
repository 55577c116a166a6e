"""Gerosense: batches of wearable samples, server to server (v2.2) and per user (v1.1)."""

from uptake.formats.base import BEARER, ActionOperation, Format, GetStatus, UploadOperation
from uptake.formats.gerosense import decode, reply, wire

_LIMITS = {"min_items": wire.MIN_SAMPLES, "max_items": wire.MAX_SAMPLES}
_ANSWERS = {200: wire.Outcome, 207: wire.Outcome, 400: wire.Outcome}

FORMAT = Format(
    package=__name__,
    vendor="Gerosense",
    prefixes=("/api",),
    operations=(
        UploadOperation(
            name="gerosense-v1.1",
            operation_id="uploadOwnSamples",
            summary="Upload samples of the user that the key is bound to",
            path="/api/v1.1/samples",
            scope="samples:write",
            credentials=(BEARER,),
            decode=decode.decode_v1_1,
            find_users=decode.find_v1_1,
            decode_item=decode.redecode_sample,
            reply=reply.reply,
            request_type=wire.UploadV11,
            limits=_LIMITS,
            answers=_ANSWERS,
            user_from_key=True,
        ),
        UploadOperation(
            name="gerosense-v2.2",
            operation_id="uploadSamples",
            summary="Upload samples of a user",
            path="/api/v2.2/samples",
            scope="samples:write",
            credentials=(BEARER,),
            decode=decode.decode_v2_2,
            find_users=decode.find_v2_2,
            decode_item=decode.redecode_sample,
            reply=reply.reply,
            request_type=wire.UploadV22,
            limits=_LIMITS,
            answers=_ANSWERS,
        ),
        ActionOperation(
            name="gerosense-get-status",
            summary="Check whether uploads are accepted",
            method="GET",
            path="/api/status",
            scope="",
            credentials=(),
            action=lambda _request: GetStatus(),
            answer=reply.status,
            answers={200: wire.Status},
        ),
    ),
    reject=reply.reject,
    problem_type=wire.Failed,
)
