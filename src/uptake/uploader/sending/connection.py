"""One connection to a destination, kept open from request to request."""

import gzip
import http.client
import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from uptake.formats.base import Credential, Place

GZIP_LEVEL = 1
"""Samples as JSON shrink to a tenth at once; higher levels take longer than the line would."""

CONNECT_SECONDS = 10.0
MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer that are read: far more than any endpoint's."""

PORTS = {"http": 80, "https": 443}


class Broken(Exception):
    """No whole answer came; what became of the request is not known."""


class WrongAddress(ValueError):
    """What was given as a destination is no URL that can be sent to; the message says why."""


class Request(msgspec.Struct, frozen=True):
    """A request, apart from the key.

    Attributes:
        path: quoted.
        body: all of it.
        media: its media type.
        headers: what else it carries.
        method: of HTTP.
    """

    path: str
    body: bytes
    media: str
    headers: Mapping[str, str] = {}
    method: str = "POST"


class Answer(msgspec.Struct, frozen=True):
    """An answer; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Destination(msgspec.Struct, frozen=True):
    """Whom to send to.

    Attributes:
        url: scheme, host, port and whatever stands before the vendor's paths; no slash at the end.
        scheme, host, port, prefix: its parts.
    """

    url: str
    scheme: str
    host: str
    port: int
    prefix: str

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return self.host in {"localhost", "::1"} or self.host.startswith("127.")


def destination(url: str) -> Destination:
    """The destination of a base URL such as `https://intake.example`.

    Raises:
        WrongAddress: it is no http or https URL, or carries a key, a query or a fragment.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise WrongAddress(f"{url!r} is no address: {error}") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise WrongAddress(f"{url!r} is no address: it begins with http:// or https:// and a host")
    if parts.query or parts.fragment or parts.username is not None:
        raise WrongAddress("the address has no query, no fragment and no password")
    host, prefix = parts.hostname.lower(), parts.path.rstrip("/")
    shown = f"[{host}]" if ":" in host else host
    known_port = port if port is not None else PORTS[parts.scheme]
    if known_port != PORTS[parts.scheme]:
        shown += f":{known_port}"
    return Destination(f"{parts.scheme}://{shown}{prefix}", parts.scheme, host, known_port, prefix)


def fill(template: str, name: str, value: str) -> str:
    """A path in which the part of this name in braces is filled in, quoted."""
    return template.replace("{" + name + "}", quote(value, safe=""))


class Connection:
    """Sends one request at a time; opens itself when it must, through a proxy where one is set."""

    def __init__(self, to: Destination, credential: Credential, key: str, seconds: float) -> None:
        self._to = to
        self._credential = credential
        self._key = key
        self._seconds = seconds
        self._http: http.client.HTTPConnection | None = None
        self._proxied = ""

    def send(self, request: Request, *, compressed: bool = False) -> Answer:
        """The answer to a request.

        Raises:
            Broken: none came, or a part of one.
        """
        used = self._http is not None
        try:
            try:
                return self._send(request, compressed=compressed)
            except (http.client.RemoteDisconnected, ConnectionError):
                # One that was open may have been closed for having been idle.
                self.close()
                if not used:
                    raise
                return self._send(request, compressed=compressed)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(str(error) or type(error).__name__) from error

    def _send(self, request: Request, *, compressed: bool) -> Answer:
        connection = self._http or self._open()
        body, headers = request.body, {"Accept": "application/json", **request.headers}
        if request.body:
            headers["Content-Type"] = request.media
        if compressed:
            body = gzip.compress(body, GZIP_LEVEL, mtime=0)
            headers["Content-Encoding"] = "gzip"
        path = self._proxied + self._to.prefix + request.path
        if self._credential.place is Place.QUERY:
            path += ("&" if "?" in path else "?") + urlencode({self._credential.name: self._key})
        elif self._credential.place is Place.BEARER:
            headers["Authorization"] = f"Bearer {self._key}"
        else:
            headers[self._credential.name] = self._key
        try:
            connection.request(request.method, path, body=body or None, headers=headers)
        except (BrokenPipeError, ConnectionResetError):
            # It may have answered before it had read all, as to a body that is too large.
            if connection.sock is None:
                raise
            return self._read(connection, early=True)
        return self._read(connection)

    def _read(self, connection: http.client.HTTPConnection, *, early: bool = False) -> Answer:
        response = connection.getresponse()
        body = response.read(MAX_ANSWER)
        left = response.length
        if left and len(body) < MAX_ANSWER:
            raise http.client.IncompleteRead(body, left)
        if early or response.will_close or not response.isclosed():
            self.close()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, body)

    def _open(self) -> http.client.HTTPConnection:
        self._http, self._proxied = _open(self._to)
        self._http.timeout = min(CONNECT_SECONDS, self._seconds)
        self._http.connect()
        self._http.sock.settimeout(self._seconds)
        return self._http

    def close(self) -> None:
        """Close it; the next request opens it again."""
        if self._http is not None:
            self._http.close()
            self._http = None


def _open(to: Destination) -> tuple[http.client.HTTPConnection, str]:
    """A connection, and what a proxy needs before the path."""
    kind: Any = http.client.HTTPConnection
    options: dict[str, Any] = {}
    if to.scheme == "https":
        kind, options = http.client.HTTPSConnection, {"context": ssl.create_default_context()}
    proxy = urllib.request.getproxies().get(to.scheme)
    if not proxy or to.is_here or urllib.request.proxy_bypass(to.host):
        return kind(to.host, to.port, **options), ""
    through = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = through.port or PORTS["http"]
    connection = kind(through.hostname, port, **options)
    if to.scheme == "http":
        return connection, f"http://{to.host}:{to.port}"
    connection.set_tunnel(to.host, to.port)
    return connection, ""
