"""QuestionPro: images of users."""

from uptake.formats.base import IMAGE_LIMIT, Format, UploadOperation
from uptake.formats.questionpro import decode, reply, wire

FORMAT = Format(
    package=__name__,
    vendor="QuestionPro",
    prefixes=("/a",),
    operations=(
        UploadOperation(
            name="questionpro",
            summary="Upload an image for a user",
            path="/a/api/v2/users/{user-id}/images",
            scope="images:write",
            credentials=(wire.QUERY_KEY, wire.HEADER_KEY),
            decode=decode.decode,
            find_users=decode.find,
            reply=reply.reply,
            request_media="multipart/form-data",
            request_schema=wire.FORM_SCHEMA,
            inline=False,
            body_limit=IMAGE_LIMIT + wire.MULTIPART_OVERHEAD,
            limits={"max_image_bytes": IMAGE_LIMIT},
            first_image_id=wire.FIRST_IMAGE_ID,
            answers={200: wire.Uploaded, 400: wire.Failed},
        ),
    ),
    reject=reply.reject,
    problem_type=wire.Failed,
)
