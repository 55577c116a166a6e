"""Stepwise: walks of members of a fitness club, as its bands report them."""

from uptake.formats.base import Credential, UploadOperation, Format, Place
from uptake.formats.stepwise import decode, reply, wire

FORMAT = Format(
    package=__name__,
    vendor="Stepwise",
    prefixes=("/stepwise",),
    operations=(
        UploadOperation(
            name="stepwise",
            summary="Upload walks of a member",
            path="/stepwise/v3/walks",
            scope="walks:write",
            credentials=(Credential(Place.HEADER, "x-stepwise-token"),),
            decode=decode.decode,
            find_users=decode.find_users,
            reply=reply.reply,
            request_type=wire.Upload,
            answers={200: wire.Stored, 400: wire.Failed},
        ),
    ),
    reject=reply.reject,
    problem_type=wire.Failed,
)
