"""`uptake issuers`: issuers of end users' tokens."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from uptake.cli.keys import SCOPE_HELP
from uptake.cli.options import ProjectOptions, option
from uptake.cli.terminal import Failed, Json, note, print_list, print_result
from uptake.http.parameter_groups import expand_groups
from uptake.model import clock, ids
from uptake.store.definitions import PROJECT_NAME, Issuer

MAX_TEXT = 1000
"""Characters of a URL, an audience or the name of a claim."""

NOT_FOR_USERS = ("admin", "operator")
"""Scopes that a token of an end user cannot have."""

HTTP_NOTE = (
    "Note: whoever can change the traffic to {host} can replace the keys, and sign tokens of any"
    " user; use https."
)

app = typer.Typer(help="Manage issuers: their tokens serve as API keys of single users.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the issuer.")]


@dataclass(frozen=True)
class IssuerOptions:
    """What the tokens of an issuer must have, and what they permit."""

    issuer: Annotated[str, option("--issuer", "The claim `iss` of its tokens, usually a URL.")]
    jwks: Annotated[
        str, option("--jwks", "URL, or file on every node, of the JSON Web Key Set of the issuer.")
    ]
    audience: Annotated[str, option("--audience", "The claim `aud` of its tokens.")]
    scope: Annotated[list[str], option("--scope", SCOPE_HELP)]
    user_claim: Annotated[str, option("--user-claim", "The claim with the user id.")] = "sub"


@app.command()
@expand_groups
def add(
    name: Name, properties: IssuerOptions, options: ProjectOptions, *, json: Json = False
) -> None:
    """Trust an issuer. Servers accept its tokens within seconds."""
    from uptake.store.base import AlreadyExists

    _check(name, properties)
    issuer = Issuer(
        id=ids.time_ordered(),
        project=options.project,
        name=name,
        issuer=properties.issuer,
        audience=properties.audience,
        source=_source(properties.jwks),
        user_claim=properties.user_claim,
        scopes=tuple(dict.fromkeys(properties.scope)),
        created_at=clock.now(),
    )
    with options.open_project() as store:
        try:
            store.add_issuer(issuer)
        except AlreadyExists:
            raise Failed(
                f"project {options.project!r} has an issuer {name!r}, or a project has this issuer"
                " and audience; list them: uptake issuers list"
            ) from None
    print_result(_view(issuer), f"Added issuer {name}.", json=json)


@app.command("list")
@expand_groups
def list_issuers(options: ProjectOptions, *, json: Json = False) -> None:
    """List the issuers of a project, and when servers last read their keys."""
    with options.open_project() as store:
        shown = [_view(one) for one in store.issuers(options.project)]
    headings = ["name", "issuer", "audience", "user_claim", "scopes", "keys", "read_at"]
    texts = ({**one, "scopes": ", ".join(one["scopes"])} for one in shown)
    print_list(shown, headings, ([text[name] for name in headings] for text in texts), json=json)


@app.command()
@expand_groups
def remove(name: Name, options: ProjectOptions, *, json: Json = False) -> None:
    """Trust an issuer no more. Servers reject its tokens within seconds."""
    with options.open_project() as store:
        if not store.remove_issuer(options.project, name):
            raise Failed(
                f"project {options.project!r} has no issuer {name!r};"
                " list them: uptake issuers list"
            )
    print_result({"name": name, "removed": True}, f"Removed issuer {name}.", json=json)


def _check(name: str, properties: IssuerOptions) -> None:
    """Check the properties of a new issuer.

    Raises:
        BadParameter: one is invalid.
    """
    from uptake.http import access

    if not re.fullmatch(PROJECT_NAME, name):
        raise typer.BadParameter(f"{name!r}: a name has 1 to 63 letters, digits, '.', '_' or '-'")
    texts = {
        "--issuer": properties.issuer,
        "--audience": properties.audience,
        "--user-claim": properties.user_claim,
        "--jwks": properties.jwks,
    }
    for place, text in texts.items():
        if not 1 <= len(text) <= MAX_TEXT:
            raise typer.BadParameter(f"{place}: must have 1 to {MAX_TEXT} characters")
    allowed = [scope for scope in access.SCOPES if scope not in NOT_FOR_USERS]
    for scope in properties.scope:
        if scope not in allowed:
            raise typer.BadParameter(f"--scope {scope!r}: must be one of {', '.join(allowed)}")


def _source(jwks: str) -> str:
    """The URL of a key set; a file is read once.

    Raises:
        BadParameter: it is neither a URL nor a file with a key set.
    """
    from uptake.http.key_sets import UnreadableKeySet, read_key_set

    if jwks.startswith(("http://", "https://")):
        host = urlsplit(jwks).hostname
        if not host:
            raise typer.BadParameter(f"--jwks {jwks!r}: the URL has no host")
        if jwks.startswith("http://") and not _is_local(host):
            note(HTTP_NOTE.format(host=host))
        return jwks
    source = Path(jwks).resolve().as_uri()
    try:
        read_key_set(source)
    except UnreadableKeySet as error:
        raise typer.BadParameter(f"--jwks {jwks!r}: {error}") from None
    return source


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _view(issuer: Issuer) -> dict[str, Any]:
    from uptake.http.key_sets import signing_keys

    return {
        "name": issuer.name,
        "id": issuer.id,
        "project": issuer.project,
        "issuer": issuer.issuer,
        "audience": issuer.audience,
        "jwks": issuer.source,
        "user_claim": issuer.user_claim,
        "scopes": list(issuer.scopes),
        "keys": len(signing_keys(issuer.key_set or "")),
        "created_at": clock.iso(issuer.created_at),
        "read_at": None if issuer.read_at is None else clock.iso(issuer.read_at),
    }
