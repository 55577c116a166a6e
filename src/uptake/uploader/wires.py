"""The wires that can be sent to, by name."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TypeVar

from uptake.formats.encoder import (
    AnyWire,
    DocumentsWire,
    ImagesWire,
    ProfilesWire,
    SamplesWire,
)
from uptake.formats.registry import FORMATS

Kind = TypeVar("Kind", SamplesWire, ProfilesWire, DocumentsWire, ImagesWire)


class UnknownWire(ValueError):
    """There is no wire of this name for items of this kind; the message lists the wires."""


@cache
def all_wires() -> tuple[AnyWire, ...]:
    """The wires of all formats that have an encoder."""
    modules = [f"{form.package}.encode" for form in FORMATS]
    return tuple(
        wire for module in modules if find_spec(module) for wire in import_module(module).WIRES
    )


def wire_of(kind: type[Kind], name: str | None = None) -> Kind:
    """The wire of a kind with a name, or the default of its kind.

    Raises:
        UnknownWire: there is none.
    """
    for wire in all_wires():
        if isinstance(wire, kind) and (wire.name == name if name else wire.is_default):
            return wire
    names = sorted(wire.name for wire in all_wires() if isinstance(wire, kind))
    raise UnknownWire(f"{name!r} is none of {', '.join(names)}")
