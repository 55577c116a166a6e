"""What an Uptake server states about itself: its instance, and the limits of its endpoints.

The vendors' own servers have no such endpoint: of those, nothing is known.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from uptake.formats.base import BEARER, MALFORMED
from uptake.uploader.context import UploadOptions
from uptake.uploader.ledger.runs import Run
from uptake.uploader.reader import PREFIX
from uptake.uploader.sending.answers import Broken, first_line
from uptake.uploader.sending.connection import Connection, Request
from uptake.uploader.sending.schedule import Halt
from uptake.uploader.sending.sender import RETRYABLE

SECONDS = 10.0
"""Time limit of the answer: it is short, and the server does not compute it."""

Name = Annotated[str, Meta(min_length=1, max_length=100)]


class Endpoint(msgspec.Struct, frozen=True):
    """An endpoint and its limits."""

    name: Name
    limits: dict[str, int]


class Service(msgspec.Struct, frozen=True):
    """An Uptake server, as the key sees it."""

    instance: Name
    project: Name
    endpoints: Annotated[tuple[Endpoint, ...], Meta(max_length=100)]

    def limits(self, name: str) -> Mapping[str, int]:
        """The limits of an endpoint."""
        return next((one.limits for one in self.endpoints if one.name == name), {})


_service = msgspec.json.Decoder(Service)

UNKNOWN = Service("", "", ())
"""A receiver without this endpoint."""


def find_service(options: UploadOptions, run: Run) -> Service:
    """What the receiver states about itself; the ledger records it.

    Raises:
        Broken: it does not answer.
        Halt: the ledger is for another instance or another project, so what it calls acknowledged
            may be missing.
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
        return UNKNOWN
    if service is not UNKNOWN:
        _compare(options, run.server(), service)
        run.set_server(service.instance, service.project)
    return service


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
