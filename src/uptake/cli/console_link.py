"""`uptake console-link`: a one-time link to the console of a server."""

import re
from typing import Annotated

import typer

from uptake.cli.options import ProjectOptions
from uptake.cli.terminal import Json, print_result
from uptake.http.parameter_groups import expand_groups
from uptake.settings import Settings

URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
DEFAULT_URL = f"http://localhost:{Settings().port}"


@expand_groups
def console_link(
    options: ProjectOptions,
    *,
    url: Annotated[
        str,
        typer.Option(
            "--url", envvar="UPTAKE_URL", help=f"Base URL of the server. Default: {DEFAULT_URL}."
        ),
    ] = DEFAULT_URL,
    json: Json = False,
) -> None:
    """Print a link that signs a browser in to the console, once.

    It is valid for 10 minutes, on every server over this database. The session sees all projects
    and may change everything, for 12 hours.
    """
    from uptake.console.sessions import LINK_SECONDS, Sessions

    if not URL.fullmatch(url):
        raise typer.BadParameter(f"--url {url!r}: must be a URL, such as https://uptake.example")
    with options.open_project() as store:
        secret = Sessions(store).new_link(options.project)
    link = link_to(url, secret)
    print_result({"url": link, "expires_in": LINK_SECONDS}, link, json=json)


def link_to(url: str, secret: str) -> str:
    """The address of a one-time link."""
    return f"{url.rstrip('/')}/console/link/{secret}"
