"""Users: profiles, samples, documents, images, rollups, synchronisation, and deleted records."""

import re
from dataclasses import dataclass
from typing import Annotated

from msgspec import Struct

from uptake.formats.base import IMAGES_PATH
from uptake.http.access import permit_users
from uptake.http.api.dependencies import (
    ERASE_RECORD,
    ERASE_USER,
    READ_PROJECT,
    READ_RECORD,
    READ_USER,
    Call,
    Limit,
    OneMetric,
    PageParameters,
    Text,
    check_id,
    operation,
    query,
)
from uptake.http.api.time_parameters import (
    TIME,
    TimeRange,
    bound,
    instant,
    microseconds,
    zone,
)
from uptake.http.semantics import base_url
from uptake.intake.deletions import Deleter
from uptake.model.problems import Kinds, Problem
from uptake.reading import MAX_LIMIT, SAMPLE_ZONE, Unknown, rollups, samples, sync, types, users
from uptake.reading.rollup_rows import RollupQuery
from uptake.reading.rollups import HeartRateRollup, StepsRollup
from uptake.samples.metrics import Metric
from uptake.samples.rollup.calendar import Every
from uptake.store.stored import DocumentFilter

MERGE, EACH = "merge", "each"
"""Values of `devices` that select all devices: merged, or in separate buckets."""

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
"""The number of an image, below 2^63."""

_LOCAL = "ISO 8601; without an offset, local time"


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """Parameters that select documents."""

    type_name: Annotated[Text, query("Only documents of this type", name="type")] = None
    from_: Annotated[Text, query(f"Received at or after this time. {TIME}", name="from")] = None
    to: Annotated[Text, query(f"Received before this time. {TIME}")] = None

    def filter(self) -> DocumentFilter:
        """The filter of these parameters.

        Raises:
            Problem: `BAD_REQUEST`.
        """
        return DocumentFilter(
            self.type_name, microseconds("from", self.from_), microseconds("to", self.to)
        )


@operation("GET", "/users", READ_PROJECT, "List users")
def list_users(
    call: Call,
    page: PageParameters,
    *,
    prefix: Annotated[str, query("Only users with an id that starts with this text")] = "",
) -> users.UserPage:
    """Ordered by id. Returns when each user was first and last seen."""
    return users.page(call.store, call.project, prefix, page)


@operation("GET", "/users/{user_id:str}", READ_USER, "Get a user's profile", slow=True)
def get_user(call: Call, user_id: str) -> users.Profile:
    """Returns the user's attributes, and the number of stored samples, documents and images."""
    return users.profile(call.user(user_id))


@operation("GET", "/users/{user_id:str}/samples", READ_USER, "List a user's samples", slow=True)
def list_samples(
    call: Call, user_id: str, metric: OneMetric, times: TimeRange, page: PageParameters
) -> samples.SamplePage:
    """Ordered by start, without duplicates. Times have the offset with which they were sent."""
    return samples.page(call.user(user_id), times.samples(metric), page)


@operation("GET", "/users/{user_id:str}/documents", READ_USER, "List a user's documents", slow=True)
def list_documents(
    call: Call, user_id: str, options: DocumentOptions, page: PageParameters
) -> users.DocumentPage:
    """Ordered by upload id. Returns each document as it was uploaded."""
    if options.type_name is not None and call.key.user is None:
        types.require(call.store, call.project, options.type_name)
    return users.documents(call.user(user_id), options.filter(), page)


@operation("GET", "/users/{user_id:str}/images", READ_USER, "List a user's images")
def list_images(call: Call, user_id: str, page: PageParameters) -> users.ImagePage:
    """Ordered by the time at which each image was first received."""
    url = base_url(call.services.public_url, call.request.scope, call.request.headers) + IMAGES_PATH
    return users.images(call.user(user_id), url, page)


@operation("GET", "/documents/{upload_id:str}", READ_RECORD, "Get a document")
def get_document(call: Call, upload_id: str) -> users.Document:
    """Returns the document as it was uploaded."""
    found = users.document(call.store, call.project, upload_id)
    permit_users(call.key, {found.user_id})
    return found


@dataclass(frozen=True, slots=True)
class DeletedRange:
    """Parameters that select the samples to delete, by their start."""

    from_: Annotated[str, query(f"Inclusive. {TIME}", name="from")]
    to: Annotated[str, query(f"Exclusive. {TIME}")]

    def bounds(self) -> tuple[int, int]:
        """The first instant, and the one after the last.

        Raises:
            Problem: `BAD_REQUEST`.
        """
        start, end = instant("from", self.from_), instant("to", self.to)
        if start is None or end is None:
            raise Problem(Kinds.BAD_REQUEST, "from and to must not be empty")
        return start, end


class DeletedSamples(Struct, frozen=True):
    """The number of deleted samples. A sample that is stored several times counts each time."""

    samples: int


@operation(
    "DELETE",
    "/users/{user_id:str}/samples",
    ERASE_USER,
    "Delete a user's samples of a range of time",
    slow=True,
    changes=True,
)
def delete_user_samples(
    call: Call, user_id: str, metric: OneMetric, times: DeletedRange
) -> DeletedSamples:
    """Other samples do not change. Samples that are uploaded again are stored again."""
    start, end = times.bounds()
    call.user(user_id).require()
    return DeletedSamples(_deleter(call).samples(user_id, metric, start, end))


@operation(
    "DELETE",
    "/users/{user_id:str}/images/{image_id:str}",
    ERASE_USER,
    "Delete an image",
    slow=True,
    changes=True,
)
def delete_user_image(
    call: Call, user_id: str, image_id: Annotated[str, query("`image_id` of the image")]
) -> None:
    """Deletes its bytes too: its URL returns 404. The same upload then gets a new number."""
    number = int(image_id) if _NUMBER.fullmatch(image_id) else 0
    image = call.store.numbered_image(call.project, number) if number else None
    if image is None or image.user_id != user_id or not _deleter(call).image(image):
        raise Unknown("image", image_id)


@operation(
    "DELETE",
    "/documents/{upload_id:str}",
    ERASE_RECORD,
    "Delete a document",
    slow=True,
    changes=True,
)
def delete_document(call: Call, upload_id: str) -> None:
    """Its Idempotency-Key can be used again."""
    check_id("upload", upload_id)
    found = call.store.document(call.project, upload_id)
    if found is None:
        raise Unknown("upload", upload_id)
    permit_users(call.key, {found.user_id})
    if not _deleter(call).document(found):
        raise Unknown("upload", upload_id)


def _deleter(call: Call) -> Deleter:
    return Deleter(call.store, call.services.blobs, call.project)


@dataclass(frozen=True, slots=True)
class RollupOptions:
    """Parameters of rollups."""

    every: Annotated[Every, query("Length of a bucket")] = "day"
    from_: Annotated[Text, query(f"First start of a bucket, inclusive. {_LOCAL}", name="from")] = (
        None
    )
    to: Annotated[Text, query(f"Last start of a bucket, exclusive. {_LOCAL}")] = None
    zone: Annotated[
        str,
        query(
            "IANA time zone of days and hours, or "
            f"`{SAMPLE_ZONE}` for the local time of each sample"
        ),
    ] = SAMPLE_ZONE
    devices: Annotated[
        str,
        query(
            f"`{MERGE}`: all devices, overlaps counted once; `{EACH}`: separate buckets"
            " for each device; or the name of a device"
        ),
    ] = MERGE
    priority: Annotated[
        list[str] | None,
        query(
            "Device names in order of priority, for merged steps: repeated, or separated by commas"
        ),
    ] = None
    explain: Annotated[bool, query("Whether each bucket shows the part of each device")] = False

    def query(self, metric: Metric) -> RollupQuery:
        """The query of these parameters.

        Raises:
            Problem: `BAD_REQUEST`.
        """
        return RollupQuery(
            metric=metric,
            every=self.every,
            zone=zone(self.zone),
            device=self.devices if self.devices not in {MERGE, EACH} else None,
            each=self.devices != MERGE,
            priority=_priorities(self.priority or []),
            explain=self.explain,
            begin=bound("from", self.from_),
            end=bound("to", self.to),
        )


@dataclass(frozen=True, slots=True)
class RollupPage(PageParameters):
    """Parameters of a page of rollups."""

    limit: Limit = MAX_LIMIT


@dataclass(frozen=True, slots=True)
class SyncPage(PageParameters):
    """Parameters of a page of days."""

    limit: Annotated[int, query("Maximum days of the page with samples", ge=1, le=MAX_LIMIT)] = (
        MAX_LIMIT
    )


@operation(
    "GET",
    "/users/{user_id:str}/rollups",
    READ_USER,
    "Get a user's rollups",
    slow=True,
    problems=(Kinds.TOO_MUCH,),
)
def get_rollups(
    call: Call, user_id: str, metric: OneMetric, options: RollupOptions, page: RollupPage
) -> StepsRollup | HeartRateRollup:
    """Sums of steps, or heart rates, by minute, hour, day, week or month, in order of time."""
    user = call.user(user_id, call.services.answers.memory)
    return rollups.page(user, options.query(metric), page)


@operation(
    "GET",
    "/users/{user_id:str}/sync",
    READ_USER,
    "Compare a user's samples with a client's",
    slow=True,
    problems=(Kinds.TOO_MUCH,),
)
def get_sync(
    call: Call, user_id: str, metric: OneMetric, times: TimeRange, page: SyncPage
) -> sync.SyncState:
    """Returns the number of samples of each device and a digest of each day (UTC)."""
    user = call.user(user_id, call.services.answers.memory)
    return sync.page(user, times.samples(metric), page)


def _priorities(values: list[str]) -> dict[str, int]:
    """The rank of each device; a text with commas is both one name and several names."""
    names = dict.fromkeys(
        name for value in values for name in (value, *(part.strip() for part in value.split(",")))
    )
    return {name: rank for rank, name in enumerate(names)}
