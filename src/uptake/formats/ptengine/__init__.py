"""Ptengine: profile attributes of many users at once."""

from uptake.formats.base import BEARER, Format, UploadOperation
from uptake.formats.ptengine import decode, reply, users, wire

FORMAT = Format(
    package=__name__,
    vendor="Ptengine",
    prefixes=("/v1/user",),
    operations=(
        UploadOperation(
            name="ptengine",
            operation_id="uploadProfiles",
            summary="Set attributes of up to 100 users",
            path="/v1/user/profiles",
            scope="profiles:write",
            credentials=(BEARER,),
            decode=decode.decode,
            find_users=users.find,
            reply=reply.reply,
            request_type=wire.Upload,
            rate_windows={60: "Minute", 86_400: "Day"},
            limits={"max_items": wire.MAX_ROWS, "max_attributes": wire.MAX_FIELDS - 1},
            answers={200: wire.Answer, 400: wire.Answer},
        ),
    ),
    reject=reply.reject,
    problem_type=wire.Answer,
)
