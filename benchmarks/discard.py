"""An RSGI application that only reads the body: the floor of the HTTP server.

Its rate is the maximum of the load generator, the loopback interface and Granian together. A figure
of the product close to this maximum would measure the generator.
"""

from __future__ import annotations

from typing import Any

_ANSWER = b"{}"
_HEADERS = [("content-type", "application/json")]


class Discard:
    """The application."""

    async def __rsgi__(self, _scope: Any, protocol: Any) -> None:
        """Answer 200 when the whole body has been read."""
        await protocol()
        protocol.response_bytes(200, _HEADERS, _ANSWER)


app = Discard()
