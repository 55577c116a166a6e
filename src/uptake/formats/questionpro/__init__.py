"""QuestionPro: images of users."""

from functools import partial

from uptake.formats.base import IMAGE_LIMIT, ActionOperation, Format, UploadOperation
from uptake.formats.questionpro import actions, decode, reply, wire

_KEYS = (wire.QUERY_KEY, wire.HEADER_KEY)

_read = partial(
    ActionOperation,
    method="GET",
    scope="images:write",
    other_scopes=("data:read",),
    credentials=_KEYS,
)

FORMAT = Format(
    package=__name__,
    vendor="QuestionPro",
    prefixes=("/a",),
    operations=(
        UploadOperation(
            name="questionpro",
            operation_id="uploadImage",
            summary="Upload an image for a user",
            path="/a/api/v2/users/{user-id}/images",
            scope="images:write",
            credentials=_KEYS,
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
        _read(
            name="questionpro-list-user-images",
            summary="List the images of a user",
            path="/a/api/v2/users/{user-id}/images",
            action=actions.list_user_images,
            answer=reply.listed,
            parameters=wire.PAGE_PARAMETERS,
            answers={200: wire.Listed, 400: wire.Failed},
        ),
        _read(
            name="questionpro-get-user-image",
            summary="Get an image of a user",
            path="/a/api/v2/users/{user-id}/images/{image-id}",
            action=actions.get_user_image,
            answer=reply.found,
            answers={200: wire.Found, 400: wire.Failed, 404: wire.Failed},
        ),
        _read(
            name="questionpro-list-images",
            operation_id="listAllImages",
            summary="List the images of all users",
            path="/a/api/v2/images",
            action=actions.list_images,
            answer=reply.listed,
            parameters=wire.PAGE_PARAMETERS,
            answers={200: wire.Listed, 400: wire.Failed},
        ),
        ActionOperation(
            name="questionpro-delete-image",
            summary="Delete an image",
            method="DELETE",
            path="/a/api/v2/images/{image-id}",
            scope="images:write",
            credentials=_KEYS,
            action=actions.delete_image,
            answer=reply.deleted,
            answers={200: wire.Deleted, 404: wire.Failed},
        ),
    ),
    reject=reply.reject,
    problem_type=wire.Failed,
)
