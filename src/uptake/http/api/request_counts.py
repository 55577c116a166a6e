"""Numbers of requests by endpoint and API key."""

from typing import Annotated

from uptake.http.api.dependencies import OPERATE, Call, Text, operation, query
from uptake.http.api.requests import permitted_projects
from uptake.http.api.time_parameters import TIME, microseconds
from uptake.model import clock
from uptake.model.problems import Kinds, Problem
from uptake.reading import request_counts
from uptake.reading.request_counts import RequestCountView
from uptake.time_units import MICROSECONDS_PER_HOUR


@operation("GET", "/requests/counts", OPERATE, "Count requests", slow=True)
def get_request_counts(
    call: Call,
    *,
    since: Annotated[
        Text, query(f"Received at or after; default: an hour before `to`. {TIME}", name="from")
    ] = None,
    to: Annotated[Text, query(f"Received before; default: now. {TIME}")] = None,
    project: Annotated[
        Text, query("Only requests of this project. Default for `operator`: all")
    ] = None,
) -> RequestCountView:
    """By endpoint and by API key: requests, items, and milliseconds. The newest are counted."""
    now = clock.now()
    end, begin = microseconds("to", to), microseconds("from", since)
    until = now if end is None else min(end, now)
    begin = until - MICROSECONDS_PER_HOUR if begin is None else begin
    # Nothing was received before 1970; the result has times that RFC 3339 can name.
    begin = max(begin, 0)
    if begin >= until:
        raise Problem(Kinds.BAD_REQUEST, "from must be before to, and in the past")
    return request_counts.counts(call.store, permitted_projects(call, project), begin, until)
