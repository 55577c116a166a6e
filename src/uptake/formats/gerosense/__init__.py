"""Gerosense: samples of wearables and the calls around them: server to server, and per user."""

from functools import partial

from uptake.formats.base import (
    BEARER,
    FORM,
    ActionOperation,
    Format,
    GetAccount,
    GetStatus,
    UploadOperation,
)
from uptake.formats.gerosense import decode, login, registration, reply, results, wire

_samples = partial(
    UploadOperation,
    scope="samples:write",
    credentials=(BEARER,),
    decode_item=decode.redecode_sample,
    reply=reply.reply,
    limits={"min_items": wire.MIN_SAMPLES, "max_items": wire.MAX_SAMPLES},
    answers={200: wire.Outcome, 207: wire.Outcome, 400: wire.Outcome},
    registered_users_only=True,
)
_registration = partial(
    UploadOperation,
    scope="samples:write",
    credentials=(BEARER,),
    reply=reply.registered,
    answers={200: wire.Registered, 400: wire.Outcome},
    is_endpoint=False,
)
_result = partial(
    ActionOperation,
    scope="samples:write",
    other_scopes=("data:read",),
    credentials=(BEARER,),
    answer=reply.not_calculated,
    answers={400: wire.Failed, 404: wire.Failed},
)
_get_result = partial(_result, method="GET")
_get_result_v1_1 = partial(
    _get_result,
    action=results.of_bound_user,
    user_from_key=True,
    answers={404: wire.Failed},
)
_get_result_v2_2 = partial(_get_result, action=results.of_user_in_query)

FORMAT = Format(
    package=__name__,
    vendor="Gerosense",
    prefixes=("/api",),
    operations=(
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
        ActionOperation(
            name="gerosense-access-token",
            operation_id="logIn",
            summary="Get an access token for an API key",
            path="/api/v1.0/login/access-token",
            scope="",
            credentials=(),
            request_media=FORM,
            request_schema=wire.LOGIN_SCHEMA,
            action=login.issue_token,
            answer=reply.access_token,
            answers={200: wire.Token, 400: wire.Failed, 401: wire.Failed},
        ),
        ActionOperation(
            name="gerosense-test-token",
            operation_id="testToken",
            summary="Check an access token or an API key",
            path="/api/v1.0/login/test-token",
            scope="",
            credentials=(BEARER,),
            action=lambda _request: GetAccount(),
            answer=reply.tested,
            answers={200: wire.Tested},
        ),
        _registration(
            name="gerosense-v1.1-user",
            operation_id="registerOwnUser",
            summary="Register the user that the key is bound to",
            path="/api/v1.1/user",
            decode=registration.decode_v1_1,
            find_users=decode.find_v1_1,
            request_type=wire.RegistrationV11,
            user_from_key=True,
        ),
        _registration(
            name="gerosense-v2.2-user",
            operation_id="registerUser",
            summary="Register a user",
            path="/api/v2.2/user",
            decode=registration.decode_v2_2,
            find_users=registration.find_v2_2,
            request_type=wire.RegistrationV22,
        ),
        _samples(
            name="gerosense-v1.1",
            operation_id="uploadOwnSamples",
            summary="Upload samples of the user that the key is bound to",
            path="/api/v1.1/samples",
            decode=decode.decode_v1_1,
            find_users=decode.find_v1_1,
            request_type=wire.UploadV11,
            user_from_key=True,
        ),
        _samples(
            name="gerosense-v2.2",
            operation_id="uploadSamples",
            summary="Upload samples of a user",
            path="/api/v2.2/samples",
            decode=decode.decode_v2_2,
            find_users=decode.find_v2_2,
            request_type=wire.UploadV22,
        ),
        _result(
            name="gerosense-v1.1-calculate-bioage",
            operation_id="calculateOwnBioage",
            summary="Calculate the biological age of the user that the key is bound to",
            path="/api/v1.1/bioage/calculate",
            action=results.of_bound_user_with_body,
            request_type=wire.CalculationV11,
            body_required=False,
            user_from_key=True,
        ),
        _result(
            name="gerosense-v2.2-calculate-bioage",
            operation_id="calculateBioage",
            summary="Calculate the biological age of a user",
            path="/api/v2.2/bioage/calculate",
            action=results.of_user_in_body,
            request_type=wire.CalculationV22,
        ),
        _get_result_v1_1(
            name="gerosense-v1.1-get-bioage",
            operation_id="getOwnBioage",
            summary="Get the biological age of the user that the key is bound to",
            path="/api/v1.1/bioage",
            parameters=wire.BIOAGE_PARAMETERS,
        ),
        _get_result_v2_2(
            name="gerosense-v2.2-get-bioage",
            operation_id="getBioage",
            summary="Get the biological age of a user",
            path="/api/v2.2/bioage",
            parameters=wire.USER_PARAMETER | wire.BIOAGE_PARAMETERS,
        ),
        _get_result_v1_1(
            name="gerosense-v1.1-get-resilience",
            operation_id="getOwnResilience",
            summary="Get the resilience of the user that the key is bound to",
            path="/api/v1.1/resilience",
            parameters=wire.RESULT_PARAMETERS,
        ),
        _get_result_v2_2(
            name="gerosense-v2.2-get-resilience",
            operation_id="getResilience",
            summary="Get the resilience of a user",
            path="/api/v2.2/resilience",
            parameters=wire.USER_PARAMETER | wire.RESULT_PARAMETERS,
        ),
    ),
    reject=reply.reject,
    problem_type=wire.Failed,
)
