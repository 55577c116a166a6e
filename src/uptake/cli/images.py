"""`uptake images`: delete an image."""

from typing import Annotated

import typer

from uptake.cli.options import ServicesOptions, User
from uptake.cli.terminal import Json, Yes, confirm, print_result
from uptake.http.parameter_groups import expand_groups

MAX_NUMBER = (1 << 63) - 1
"""Numbers of images are 64-bit columns."""

app = typer.Typer(help="Delete an image of a user.")


@app.command()
@expand_groups
def delete(
    user: User,
    image_id: Annotated[
        int,
        typer.Argument(
            metavar="NUMBER", help="Image number.", min=1, max=MAX_NUMBER, show_default=False
        ),
    ],
    options: ServicesOptions,
    *,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Delete an image and its bytes. Its URL then returns 404."""
    from uptake.intake.deletions import Deleter
    from uptake.reading import Unknown

    with options.open_services() as services:
        found = services.store.numbered_image(options.project, image_id)
        if found is None or found.user_id != user:
            raise Unknown("image", str(image_id))
        confirm(f"Delete image {image_id} of user {user!r}? It cannot be undone.", yes=yes)
        Deleter(services.store, services.blobs, options.project).image(found)
    deleted = {"image_id": image_id, "deleted": True}
    print_result(deleted, f"Deleted image {image_id}.", json=json)
