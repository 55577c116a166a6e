"""What an Uptake server states about itself and the key: its instance, limits and scopes.

The vendors' own servers have no such endpoint: of those, nothing is known.
"""

from collections.abc import Mapping
from shlex import quote
from typing import Annotated

import msgspec
from msgspec import Meta

from uptake.formats.base import BEARER, MALFORMED
from uptake.formats.encoder import AnyWire, SamplesWire
from uptake.uploader.context import UploadOptions
from uptake.uploader.ledger.runs import Run
from uptake.uploader.reader import PREFIX
from uptake.uploader.sending.answers import Broken, first_line
from uptake.uploader.sending.attempts import RETRYABLE
from uptake.uploader.sending.connection import Connection, Request
from uptake.uploader.sending.schedule import Halt

SECONDS = 10.0
"""Time limit of the answer: it is short, and the server does not compute it."""

Name = Annotated[str, Meta(min_length=1, max_length=100)]


class Endpoint(msgspec.Struct, frozen=True):
    """An endpoint, the scope that a key needs for it, and its limits."""

    name: Name
    limits: dict[str, int]
    scope: str = ""


class Service(msgspec.Struct, frozen=True):
    """An Uptake server, as the key sees it."""

    instance: Name
    project: Name
    endpoints: Annotated[tuple[Endpoint, ...], Meta(max_length=100)]
    scopes: Annotated[tuple[Name, ...], Meta(max_length=100)] | None = None
    """Those of the key; None from a server of an earlier version."""

    def endpoint(self, name: str) -> Endpoint:
        """An endpoint; of one that is not known, neither a scope nor a limit is known."""
        return next((one for one in self.endpoints if one.name == name), Endpoint(name, {}))


_service = msgspec.json.Decoder(Service)

UNKNOWN = Service("", "", ())
"""A receiver without this endpoint."""


def find_limits(options: UploadOptions, run: Run, wire: AnyWire) -> Mapping[str, int]:
    """The limits of the wire's endpoint; the ledger records the receiver.

    Raises:
        Broken: it does not answer.
        Halt: the ledger is for another instance or another project, so what it calls acknowledged
            may be missing; or the key does not have the endpoint's scope.
    """
    connection = Connection(options.to, BEARER, options.key, min(options.seconds, SECONDS))
    try:
        answer = connection.send(Request(PREFIX, b"", "", method="GET"))
    finally:
        connection.close()
    if answer.status in RETRYABLE or answer.status >= 500:
        raise Broken(f"{answer.status}: {first_line(answer.body)}")
    try:
        service = _service.decode(answer.body) if answer.status == 200 else UNKNOWN
    except MALFORMED:
        return {}
    if service is not UNKNOWN:
        _compare(options, run.server(), service)
        run.set_server(service.instance, service.project)
    endpoint = service.endpoint(wire.name)
    if service.scopes is not None and endpoint.scope not in {"", *service.scopes}:
        user = " --user USER" if isinstance(wire, SamplesWire) and wire.user_from_key else ""
        raise Halt(
            f"the key for {options.to.url} does not have the scope {endpoint.scope}; create one"
            f" that has: uptake keys create --project {quote(service.project)}{user}"
            f" --scope {endpoint.scope}"
        )
    return endpoint.limits


def _compare(options: UploadOptions, known: tuple[str, str] | None, service: Service) -> None:
    instance, project = known or (service.instance, service.project)
    if instance != service.instance:
        raise Halt(
            f"{options.to.url} has another database than the one that the ledger {options.ledger}"
            " is for, and may lack what the ledger calls acknowledged; to send everything to it,"
            " name another ledger with --ledger, or delete this one"
        )
    if project != service.project:
        raise Halt(
            f"the key is for project {service.project!r}, and the ledger {options.ledger} is for"
            f" project {project!r}; name another ledger for this project with --ledger"
        )
