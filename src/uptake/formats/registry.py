"""The formats that the server serves; a vendor in this package is one folder and one line here.

A package outside of this one adds a format with an entry point of the group `uptake.formats`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from uptake.formats import UnusableFormat
from uptake.formats.base import Format, UploadOperation
from uptake.plugins import installed

GROUP = "uptake.formats"

RESERVED = ("/uptake", "/images", "/metrics", "/openapi.json", "/schema")
"""Paths of the server itself."""


def check(formats: Sequence[Format]) -> None:
    """Check that formats can be served side by side.

    Raises:
        UnusableFormat: two of them have a name, a prefix or an address in common, or an address is
            not below a prefix of its format.
    """
    used: Counter[str] = Counter()
    for form in formats:
        # Paths that differ only in the names of parameters are the same.
        addresses = [f"{one.method} {re.sub('{[^}]*}', '{}', one.path)}" for one in form.operations]
        names = [f"operation {one.name!r}" for one in form.operations]
        prefixes = [f"prefix {prefix!r}" for prefix in form.prefixes]
        used.update([f"format {form.name!r}", *names, *prefixes, *addresses])
        for prefix in form.prefixes:
            if any(prefix == path or prefix.startswith(path + "/") for path in RESERVED):
                raise UnusableFormat(f"format {form.name!r}: {prefix} is a path of the server")
        for one in form.operations:
            if not any(one.path.startswith(prefix + "/") for prefix in form.prefixes):
                raise UnusableFormat(
                    f"format {form.name!r}: {one.path} is not below a prefix of the format"
                )
    for taken, count in used.items():
        if count > 1:
            raise UnusableFormat(f"{count} formats have the {taken}; uninstall one of them")


VENDORS = (
    "thymia",
    "ptengine",
    "questionpro",
    "gerosense",
)
"""The formats of this package."""

FORMATS: tuple[Format, ...] = (
    *(import_module(f"uptake.formats.{vendor}").FORMAT for vendor in VENDORS),
    *installed(GROUP, "format", Format, UnusableFormat),
)
check(FORMATS)

UPLOADS: dict[str, UploadOperation] = {
    operation.name: operation for form in FORMATS for operation in form.uploads
}
"""Every upload by its name."""


def status_of(name: str, accepted: int, rejected: int) -> int:
    """The status of the answer to an upload with so many accepted and rejected items."""
    known = UPLOADS.get(name)
    return 200 if known is None else known.status_of(accepted, rejected)


if TYPE_CHECKING:
    UploadName = str
else:
    UploadName = Literal[tuple(UPLOADS)]
"""The name of an upload, as the type of a parameter: the error about others lists all names."""

SCOPES: tuple[str, ...] = tuple(
    dict.fromkeys(
        operation.scope for form in FORMATS for operation in form.operations if operation.scope
    )
)
"""The scopes of all operations, each once."""
