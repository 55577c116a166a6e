"""Projects, as operators see them."""

from msgspec import Struct

from uptake.model import clock
from uptake.reading import Name, Page, Unknown
from uptake.reading.bounds import Listing
from uptake.store.definitions import Project
from uptake.store.project_ports import Projects


class ProjectView(Struct, frozen=True):
    """A project.

    Attributes:
        name: its name.
        created_at: RFC 3339.
    """

    name: str
    created_at: str


class ProjectPage(Struct, frozen=True):
    """Projects in order of name."""

    projects: list[ProjectView]
    next: str | None


def page(store: Projects, page: Page, only: str | None = None) -> ProjectPage:
    """Return a page of all projects, or of the one that is named.

    Raises:
        BadCursor: this server did not issue the cursor.
        Unknown: the named project does not exist.
    """

    def fetch(after: str, count: int) -> list[Project]:
        if only is None:
            return store.projects_after(after, count)
        return [_existing(store, only)] if only > after else []

    listing = Listing(fetch=fetch, key=lambda one: one.name, cursor_type=Name, start="")
    found, following = listing.page(page)
    return ProjectPage([view(one) for one in found], following)


def project(store: Projects, name: str) -> ProjectView:
    """Return a project.

    Raises:
        Unknown: it does not exist.
    """
    return view(_existing(store, name))


def _existing(store: Projects, name: str) -> Project:
    found = store.project(name)
    if found is None:
        raise Unknown("project", name)
    return found


def view(project: Project) -> ProjectView:
    """Return a project as the API shows it."""
    return ProjectView(project.name, clock.iso(project.created_at))
