"""Segments: named filters over the users of a project."""

from uptake.http.api.dependencies import (
    ADMINISTER,
    READ_PROJECT,
    Body,
    Call,
    PageParameters,
    component,
    operation,
    valid_json,
)
from uptake.model.problems import Kinds, Problem
from uptake.reading import Unknown
from uptake.reading.segments.queries import (
    MAX_FILTER,
    NAME,
    Members,
    SegmentPage,
    SegmentPreview,
    SegmentView,
)
from uptake.reading.segments.schema import ROOT

BODY = Body(MAX_FILTER, component(ROOT))
PROBLEMS = (Kinds.INVALID_FILTER,)


@operation(
    "POST",
    "/segments/preview",
    READ_PROJECT,
    "Preview the users that match a filter",
    slow=True,
    body=BODY,
    problems=PROBLEMS,
)
def preview_segment(call: Call, page: PageParameters) -> SegmentPreview:
    """Returns the number of users and a page of them, ordered by id."""
    with valid_json():
        return call.services.segments.preview(call.project, call.content, page)


@operation("GET", "/segments", READ_PROJECT, "List segments", slow=True)
def list_segments(call: Call, page: PageParameters) -> SegmentPage:
    """Ordered by name."""
    return call.services.segments.segments(call.project, page)


@operation("GET", "/segments/{name:str}", READ_PROJECT, "Get a segment", slow=True)
def get_segment(call: Call, name: str) -> SegmentView:
    """Returns the filter as it was sent."""
    return call.services.segments.segment(call.project, _checked(name))


@operation(
    "GET",
    "/segments/{name:str}/users",
    READ_PROJECT,
    "List the users of a segment",
    slow=True,
    problems=PROBLEMS,
)
def list_segment_users(call: Call, name: str, page: PageParameters) -> Members:
    """Returns the current number of users and a page of them, ordered by id."""
    segments = call.services.segments
    return segments.members(call.project, _checked(name), page)


@operation(
    "PUT",
    "/segments/{name:str}",
    ADMINISTER,
    "Create or replace a segment",
    slow=True,
    changes=True,
    body=BODY,
    problems=PROBLEMS,
)
def put_segment(call: Call, name: str) -> SegmentView:
    """Stores a filter under a name. Scope `admin`."""
    if not NAME.fullmatch(name):
        raise Problem(Kinds.BAD_REQUEST, f"name: must match {NAME.pattern}")
    with valid_json():
        return call.services.segments.put(call.project, name, call.content)


@operation(
    "DELETE", "/segments/{name:str}", ADMINISTER, "Delete a segment", slow=True, changes=True
)
def delete_segment(call: Call, name: str) -> None:
    """Its users are not changed. Scope `admin`."""
    call.services.segments.delete(call.project, _checked(name))


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise Unknown("segment", name)
    return name
