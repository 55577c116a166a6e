"""Reads from scripts of other origins (CORS): which browsers may show which page which answer.

Only `GET` and `HEAD` of the product's API and of images; never uploads, and never with cookies.
"""

import re

from litestar.enums import ScopeType
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from uptake.formats.base import IMAGES_PATH
from uptake.http.api.routes import PREFIX

ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
"""An origin as browsers send it: lower case, without a path."""

READS = ("GET", "HEAD")
PREFLIGHT_SECONDS = 600
"""How long a browser may use the answer to a preflight; a removed origin ends after this time."""

EXPOSED = b"X-Request-Id, Uptake-Cursor, Retry-After"
"""Headers that a script may read."""

Headers = list[tuple[bytes, bytes]]


def invalid_origin(origin: str) -> str | None:
    """What is wrong with an allowed origin; None if nothing is."""
    if not ORIGIN.fullmatch(origin):
        return "must be a scheme and a host in lower case, such as https://dash.example:8443"
    if re.fullmatch(r"http:.*:80|https:.*:443", origin):
        return "must not have the default port of its scheme, which browsers leave out"
    return None


class Cors:
    """Middleware that permits reads from scripts of some origins.

    Args:
        app: the application.
        origins: the origins.
    """

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; answer a preflight before authentication."""
        if scope["type"] != ScopeType.HTTP or not _is_readable(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"")
        method, wanted = scope["method"], headers.get(b"access-control-request-method", b"")
        allowed: Headers = [(b"vary", b"Origin")]
        if origin in self._origins and (method in READS or wanted.decode("latin-1") in READS):
            allowed.append((b"access-control-allow-origin", origin))
            if method == "OPTIONS":
                preflight = {
                    "Vary": "Origin",
                    "Access-Control-Allow-Origin": origin.decode(),
                    "Access-Control-Allow-Methods": ", ".join(READS),
                    "Access-Control-Allow-Headers": "Authorization",
                    "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
                }
                await ASGIResponse(status_code=204, headers=preflight)(scope, receive, send)
                return
            allowed.append((b"access-control-expose-headers", EXPOSED))

        async def send_allowed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *allowed]
            await send(message)

        await self._app(scope, receive, send_allowed)


def _is_readable(path: str) -> bool:
    return path == PREFIX or path.startswith((f"{PREFIX}/", IMAGES_PATH))
