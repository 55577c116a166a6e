"""The bodies of Gerosense's `/samples`, after its published pages for v1.1 and v2.2.

The vendor documents the statuses 200, 207 and 400 without bodies; the answer's body is ours.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from uptake.model.items import MAX_USER_ID
from uptake.samples.metrics import Metric

MIN_SAMPLES = 3
MAX_SAMPLES = 1000
MAX_VALUES = {"count": 30000.0, "count/min": 300.0, "count/s": float("inf")}
"""Limits of the pages: samples in a request, largest value of each unit (none for count/s)."""


LOGIN_SCHEMA = {
    "type": "object",
    "properties": {
        "username": {"type": "string", "description": "The id of an API key"},
        "password": {"type": "string", "format": "password", "description": "The API key"},
    },
    "required": ["username", "password"],
}

MODEL_TYPES = ("steps", "bpm")
"""The models of the vendor's results."""

RESULT_PARAMETERS = {"model_type": {"type": "string"}, "device_name": {"type": "string"}}
BIOAGE_PARAMETERS = RESULT_PARAMETERS | {
    "from_date": {"type": "string"},
    "to_date": {"type": "string"},
}
USER_PARAMETER = {"user_id": {"type": "string", "minLength": 1, "maxLength": MAX_USER_ID}}
"""The query of requests for results."""

SEXES = ("Male", "Female")

MIN_YEAR_OF_BIRTH = 1900
"""No living person was born before. The latest year is the current one."""

MINIMAL_API_VERSION = "v1.0"
"""The oldest version that the vendor's status names."""


class Sample(Struct, gc=False):
    """One sample; times are ISO 8601."""

    device_name: Annotated[str, Meta(description="A unique device name like iPhone")]
    start_date: Annotated[str, Meta(description="ISO 8601; without an offset, UTC")]
    unit: Literal["count", "count/min", "count/s"]
    value: Annotated[float, Meta(gt=0, description="At most 30000 for count and 300 for count/min")]
    device_version: str | None = None
    end_date: Annotated[str | None, Meta(description="Not earlier than start_date")] = None


class UploadV11(Struct):
    """The request of v1.1: the user is the one that the API key is bound to."""

    data_type: Metric
    data: Annotated[list[Sample], Meta(min_length=MIN_SAMPLES, max_length=MAX_SAMPLES)]


class UploadV22(UploadV11, kw_only=True):
    """The request of v2.2."""

    user_id: Annotated[str, Meta(min_length=1, max_length=MAX_USER_ID)]


class RegistrationV11(Struct):
    """The request of v1.1: the user is the one that the API key is bound to."""

    biological_sex: Literal["Male", "Female"]
    year_of_birth: Annotated[
        int, Meta(ge=MIN_YEAR_OF_BIRTH, description="At most the current year")
    ]


class RegistrationV22(RegistrationV11, kw_only=True):
    """The request of v2.2."""

    id: Annotated[str, Meta(min_length=1, max_length=MAX_USER_ID)]


class Registered(Struct):
    """The answer to a registration: the user and the attributes."""

    id: str
    biological_sex: str
    year_of_birth: int


class CalculationV11(Struct):
    """The request of a calculation in v1.1."""

    model_type: Literal["steps", "bpm"] | None = None


class CalculationV22(CalculationV11, kw_only=True):
    """The request of a calculation in v2.2."""

    user_id: Annotated[str, Meta(min_length=1, max_length=MAX_USER_ID)]


class Result(Struct):
    """What the vendor computed, as the vendor answers it; with further members."""

    user_id: str | None = None
    device_name: str | None = None
    model_type: str | None = None


class SampleError(Struct):
    """One fault; `index` is the sample's position in `data`, null for the request as a whole."""

    index: int | None
    field: str | None
    code: str
    message: str


class Outcome(Struct):
    """The outcome of every sample: 200, 207 or 400."""

    accepted: int
    rejected: int
    errors: list[SampleError]


class Status(Struct):
    """Whether uploads are accepted: a client holds its samples during `Maintenance`."""

    status: Literal["Ok", "Maintenance"]
    minimal_api_version: str


class Token(Struct):
    """An access token, which serves as the API key for 24 hours at most."""

    access_token: str
    token_type: Literal["Bearer"]


class Tested(Struct):
    """The user that an API key is bound to, and its scopes."""

    user: str | None
    scopes: list[str]


class Failed(Struct):
    """Every other failure."""

    code: str
    message: str
