"""`uptake documents`: list the documents of a user, and delete one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from uptake.cli.options import PageOptions, ProjectOptions, ServicesOptions, User, moment, option
from uptake.cli.terminal import Json, Yes, confirm, print_list, print_result
from uptake.http.parameter_groups import expand_groups

if TYPE_CHECKING:
    from uptake.store.stored import DocumentFilter

app = typer.Typer(help="List the documents of a user, and delete one.")


@dataclass(frozen=True)
class FilterOptions:
    """Options that select documents."""

    type_name: Annotated[str | None, option("--type", "Only documents of this type.")] = None
    from_: Annotated[
        str | None, option("--from", "Received at or after this time (ISO 8601; default zone UTC).")
    ] = None
    to: Annotated[str | None, option("--to", "Received before this time.")] = None

    def filter(self) -> "DocumentFilter":
        """The filter of these options.

        Raises:
            BadParameter: a time is not ISO 8601.
        """
        from uptake.store.stored import DocumentFilter

        return DocumentFilter(self.type_name, moment("--from", self.from_), moment("--to", self.to))


@app.command("list")
@expand_groups
def list_documents(
    user: User, filters: FilterOptions, options: ProjectOptions, paging: PageOptions
) -> None:
    """List a user's documents in order of upload id."""
    from uptake.reading import users
    from uptake.reading.series import UserData

    only = filters.filter()
    with options.open_project() as store:
        page = users.documents(UserData(store, options.project, user), only, paging)
    rows = ((one.upload_id, one.received_at, one.type, len(one.data)) for one in page.documents)
    headings = ("upload", "received", "type", "bytes")
    print_list(page, headings, rows, json=paging.json, cursor=page.next)


@app.command()
@expand_groups
def delete(
    upload_id: Annotated[str, typer.Argument(metavar="ID", help="Upload id.", show_default=False)],
    options: ServicesOptions,
    *,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Delete a document. Its Idempotency-Key can be used again."""
    from uptake.intake.deletions import Deleter
    from uptake.reading import Unknown

    with options.open_services() as services:
        found = services.store.document(options.project, upload_id)
        if found is None:
            raise Unknown("upload", upload_id)
        confirm(
            f"Delete document {upload_id} of user {found.user_id!r}? It cannot be undone.", yes=yes
        )
        Deleter(services.store, services.blobs, options.project).document(found)
    deleted = {"upload_id": upload_id, "deleted": True}
    print_result(deleted, f"Deleted document {upload_id}.", json=json)
