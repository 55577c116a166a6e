"""The list of requests."""

from dataclasses import dataclass
from typing import Annotated

from uptake.formats.registry import UPLOADS, UploadName, status_of
from uptake.http.api.dependencies import (
    OPERATE,
    Call,
    PageParameters,
    Text,
    operation,
    query,
)
from uptake.http.api.projects import permitted_project
from uptake.http.api.time_parameters import TIME, microseconds
from uptake.intake.keys import OPERATOR
from uptake.model.problems import Kinds, Problem
from uptake.reading import requests
from uptake.store.requests import RequestFilter

ALL_PROJECTS = "Only requests of this project. Default for `operator`: all"


@dataclass(frozen=True, slots=True)
class RequestParameters:
    """Parameters that select requests."""

    format: Annotated[UploadName | None, query("Name of the endpoint")] = None
    status: Annotated[int | None, query("HTTP status of the answer", ge=100, le=599)] = None
    key_id: Annotated[Text, query("Id of the API key", name="key")] = None
    user_id: Annotated[Text, query("User id", name="user")] = None
    since: Annotated[Text, query(f"Received at or after. {TIME}", name="from")] = None
    to: Annotated[Text, query(f"Received before. {TIME}")] = None

    def filter(self) -> RequestFilter:
        """The filter of these parameters.

        Raises:
            Problem: `BAD_REQUEST`.
        """
        for text in (self.key_id, self.user_id):
            if text is not None and "\0" in text:
                raise Problem(Kinds.BAD_REQUEST, "A filter must not contain a NUL character")
        status = self.status and requests.status_filter(self.status, UPLOADS, status_of)
        return RequestFilter(
            self.format,
            self.key_id,
            self.user_id,
            status or None,
            microseconds("from", self.since),
            microseconds("to", self.to),
        )


@operation("GET", "/requests", OPERATE, "List requests", slow=True)
def list_requests(
    call: Call,
    filters: RequestParameters,
    page: PageParameters,
    *,
    project: Annotated[Text, query(ALL_PROJECTS)] = None,
) -> requests.RequestPage:
    """The newest first, with the outcome of each. Scope `admin` or `operator`."""
    projects = permitted_projects(call, project)
    return requests.page(call.store, projects, filters.filter(), page, status_of)


def permitted_projects(call: Call, name: str | None) -> list[str]:
    """The named project, by default that of the key, or all for the scope `operator`.

    Raises:
        Problem: `FORBIDDEN`.
        Unknown: the project does not exist.
    """
    if name is None and OPERATOR in call.key.scopes:
        return call.store.projects()
    return [permitted_project(call, name)]
