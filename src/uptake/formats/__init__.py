"""Every wire the server speaks; a new vendor is one folder and one line here."""

from uptake.formats import gerosense, ptengine, questionpro, thymia
from uptake.formats.base import Endpoint, Format

FORMATS: tuple[Format, ...] = (
    thymia.FORMAT,
    ptengine.FORMAT,
    questionpro.FORMAT,
    gerosense.FORMAT,
)

ENDPOINTS: dict[str, Endpoint] = {
    endpoint.name: endpoint for form in FORMATS for endpoint in form.endpoints
}
"""Every endpoint by its name."""
