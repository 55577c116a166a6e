"""The wires that can be sent to, by name."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TypeVar

from uptake.formats.encoder import AnyWire, DocumentsWire, SamplesWire
from uptake.formats.registry import FORMATS

Kind = TypeVar("Kind", bound=AnyWire)


class UnknownWire(ValueError):
    """There is no wire of this name for items of this kind; the message lists the wires."""


@cache
def all_wires() -> tuple[AnyWire, ...]:
    """The wires of all formats that have an encoder."""
    modules = [f"{form.package}.encode" for form in FORMATS]
    return tuple(
        wire for module in modules if find_spec(module) for wire in import_module(module).WIRES
    )


def wires_of(kind: type[Kind]) -> list[Kind]:
    """The wires of a kind."""
    return [wire for wire in all_wires() if isinstance(wire, kind)]


def wire_of(kind: type[Kind], name: str | None = None) -> Kind:
    """The wire of a kind with a name, or the default of its kind.

    Raises:
        UnknownWire: there is none.
    """
    for wire in wires_of(kind):
        if wire.name == name if name else wire.is_default:
            return wire
    names = sorted(wire.name for wire in wires_of(kind))
    raise UnknownWire(f"{name!r} is none of {', '.join(names)}")


def _names_in_requests() -> dict[str, tuple[str, ...]]:
    names: dict[str, dict[str, None]] = {}
    for wire in wires_of(SamplesWire):
        head = ((wire.user_member or "user_id", "user_id"), (wire.metric_member, "metric"))
        for member, column in (*head, *wire.row):
            if member != column:
                names.setdefault(column, {})[member] = None
    return {column: tuple(members) for column, members in names.items()}


NAMES_IN_REQUESTS = _names_in_requests()
"""Other names of the columns of samples, in the requests of all wires."""

SAMPLES_MEMBERS = {wire.samples_member for wire in wires_of(SamplesWire)}
"""Members of requests with a list of samples."""

ENCLOSING = SAMPLES_MEMBERS | {wire.document_member for wire in wires_of(DocumentsWire)}
"""Members of requests that enclose items."""
