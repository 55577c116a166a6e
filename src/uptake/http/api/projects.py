"""Projects, which only an operator creates."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from uptake.http.access import About, Permission
from uptake.http.api.dependencies import (
    MAX_STRUCT,
    OPERATE,
    Body,
    Call,
    PageParameters,
    component,
    operation,
    valid_json,
)
from uptake.intake.keys import OPERATOR
from uptake.model import clock
from uptake.model.problems import Kinds, Problem
from uptake.reading import projects
from uptake.reading.projects import ProjectPage, ProjectView
from uptake.store.base import AlreadyExists
from uptake.store.definitions import PROJECT_NAME

OPERATE_ALL = Permission(OPERATOR, About.PROJECT)


class NewProject(Struct, frozen=True, forbid_unknown_fields=True):
    """A project to create."""

    name: Annotated[str, Meta(pattern=f"^{PROJECT_NAME}$")]


NEW = Body(MAX_STRUCT, component(NewProject.__name__))


@operation("GET", "/projects", OPERATE, "List projects")
def list_projects(call: Call, page: PageParameters) -> ProjectPage:
    """In order of name: all for the scope `operator`, else the project of the key."""
    only = None if OPERATOR in call.key.scopes else call.project
    return projects.page(call.store, page, only)


@operation("POST", "/projects", OPERATE_ALL, "Create a project", changes=True, body=NEW)
def create_project(call: Call) -> ProjectView:
    """The name cannot be changed. Scope `operator`."""
    with valid_json():
        name = msgspec.json.decode(call.content, type=NewProject).name
    # The pattern of the type accepts a line feed at the end.
    if not re.fullmatch(PROJECT_NAME, name):
        raise Problem(Kinds.BAD_REQUEST, f"name: must match {PROJECT_NAME}")
    try:
        call.store.add_project(name, clock.now())
    except AlreadyExists:
        raise Problem(Kinds.BAD_REQUEST, f"name: project {name!r} already exists") from None
    return projects.project(call.store, name)


def permitted_project(call: Call, name: str | None) -> str:
    """The named project, by default that of the calling key.

    Raises:
        Problem: `FORBIDDEN`: another project than that of the key, which is not an operator's.
        Unknown: the project does not exist.
    """
    if name is None or name == call.project:
        return call.project
    if OPERATOR not in call.key.scopes:
        message = f"A key without the scope {OPERATOR} manages only its project, {call.project!r}"
        raise Problem(Kinds.FORBIDDEN, message)
    return projects.project(call.store, name).name
