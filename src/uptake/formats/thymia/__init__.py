"""thymia: typed JSON documents about a user."""

from uptake.formats.base import (
    ActionOperation,
    Credential,
    Format,
    GetAccount,
    Place,
    UploadOperation,
)
from uptake.formats.thymia import decode, reply, wire

_API_KEY = Credential(Place.HEADER, "x-api-key")

FORMAT = Format(
    package=__name__,
    vendor="thymia",
    prefixes=("/v1",),
    operations=(
        UploadOperation(
            name="thymia",
            operation_id="uploadDocument",
            summary="Upload a JSON document of a registered type about one user",
            path="/v1/user-data/{upload_type}",
            scope="user-data:write",
            credentials=(_API_KEY,),
            decode=decode.decode,
            find_users=decode.find,
            reply=reply.reply,
            request_type=wire.Upload,
            answers={200: wire.Uploaded, 422: wire.Invalid},
            headers={
                "Idempotency-Key": "Repeating it with the same body gives the first uploadId again."
            },
        ),
        ActionOperation(
            name="thymia-get-account",
            summary="Get the account of the API key",
            method="GET",
            path="/v1/account",
            scope="",
            credentials=(_API_KEY,),
            action=lambda _request: GetAccount(),
            answer=reply.account,
            answers={200: wire.Account},
        ),
    ),
    reject=reply.reject,
    problem_type=wire.Detail,
)
