"""Every wire the server speaks; a new vendor is one folder and one line here."""

from uptake.formats import gerosense, ptengine, questionpro, thymia
from uptake.formats.base import Format, Operation

FORMATS: tuple[Format, ...] = (
    thymia.FORMAT,
    ptengine.FORMAT,
    questionpro.FORMAT,
    gerosense.FORMAT,
)

OPERATIONS: dict[str, Operation] = {
    operation.name: operation for form in FORMATS for operation in form.operations
}
"""Every operation by its name."""
