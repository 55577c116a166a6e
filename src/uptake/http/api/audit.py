"""The audit log of a project, or of all projects for an operator."""

from dataclasses import dataclass
from typing import Annotated

from uptake.http.api.dependencies import OPERATE, Call, PageParameters, Text, operation, query
from uptake.http.api.projects import permitted_project
from uptake.http.api.time_parameters import TIME, microseconds
from uptake.intake.keys import OPERATOR
from uptake.model.problems import Kinds, Problem
from uptake.reading import audit
from uptake.store.audit_ports import AuditFilter


@dataclass(frozen=True, slots=True)
class AuditFilters:
    """Parameters that select entries."""

    project: Annotated[Text, query("Project. Default for `operator`: all")] = None
    actor: Annotated[Text, query("Id of an API key or a session, or `cli`")] = None
    action: Annotated[Text, query("Action, e.g. `key.create`")] = None
    from_: Annotated[Text, query(f"At or after. {TIME}", name="from")] = None
    to: Annotated[Text, query(f"Before. {TIME}")] = None

    def filter(self, call: Call) -> AuditFilter:
        """The filter; for a key that is not an operator's, only of its project.

        Raises:
            Problem: `BAD_REQUEST` or `FORBIDDEN`.
        """
        for text in (self.actor, self.action):
            if text is not None and "\0" in text:
                raise Problem(Kinds.BAD_REQUEST, "A filter must not contain a NUL character")
        project = self.project
        if project is not None or OPERATOR not in call.key.scopes:
            project = permitted_project(call, project)
        start, end = microseconds("from", self.from_), microseconds("to", self.to)
        return AuditFilter(project, self.actor, self.action, start, end)


@operation("GET", "/audit", OPERATE, "List the audit log", slow=True)
def get_audit(call: Call, filters: AuditFilters, page: PageParameters) -> audit.AuditPage:
    """The latest entry first: who changed or exported what, when, and from which address."""
    return audit.page(call.store, filters.filter(call), page)
