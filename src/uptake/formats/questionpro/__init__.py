"""QuestionPro: images of users."""

from uptake.formats.base import IMAGE_LIMIT, Format, Operation
from uptake.formats.questionpro import decode, reply, wire

FORMAT = Format(
    name="questionpro",
    vendor="QuestionPro",
    prefixes=("/a",),
    operations=(
        Operation(
            name="questionpro",
            summary="Upload an image for a user",
            path="/a/api/v2/users/{user-id}/images",
            scope="images:write",
            credentials=(wire.QUERY_KEY, wire.HEADER_KEY),
            decode=decode.decode,
            find_users=decode.find,
            reply=reply.reply,
            request_media="multipart/form-data",
            body_limit=IMAGE_LIMIT + wire.MULTIPART_OVERHEAD,
            answers={200: wire.Uploaded, 400: wire.Failed},
        ),
    ),
    reject=reply.reject,
    problem_type=wire.Failed,
)
