"""One connection to a destination, kept open from request to request."""

import gzip
import http.client
import re
import select
import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from uptake.formats.base import Credential, Place
from uptake.uploader.sending.answers import Answer, Broken, Response, reason_of

GZIP_LEVEL = 1
"""Samples as JSON shrink to a tenth at once; higher levels take longer than the line would."""

CONNECT_SECONDS = 10.0
_VISIBLE = re.compile("[!-~]*")

PORTS = {"http": 80, "https": 443}

MIN_REDACTED = 8
"""Characters of a key from which on it is replaced in answers; a shorter one is found anywhere."""


class InvalidKey(ValueError):
    """What was given as a key cannot be one; the message does not repeat it."""


def checked_key(key: str) -> str:
    """A key without the white space around it, as the end of a line in a file.

    Raises:
        InvalidKey: it has other characters than visible ASCII, so no header can carry it.
    """
    stripped = key.strip()
    if not all("!" <= character <= "~" for character in stripped):
        raise InvalidKey(
            "the key is not valid: it may have letters, digits and punctuation of ASCII, and no"
            " spaces, line breaks or other characters within"
        )
    return stripped


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
        repeatable: whether the server that gets it twice keeps one; if not it is never sent again
            after it may have arrived.
    """

    path: str
    body: bytes
    media: str
    headers: Mapping[str, str] = {}
    method: str = "POST"
    repeatable: bool = True


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
    if not _VISIBLE.fullmatch(parts.netloc + parts.path):
        raise WrongAddress("the address has spaces or characters that are not ASCII: quote them")
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
    """Sends one request at a time; opens itself when it must, through a proxy where one is set.

    Redirects are not followed: the key goes to the destination alone.

    Args:
        to: the destination.
        credential: where the key goes.
        key: the key.
        seconds: how long sending a request may take, and then its answer.

    Raises:
        InvalidKey: it cannot be one.
    """

    def __init__(self, to: Destination, credential: Credential, key: str, seconds: float) -> None:
        self._to = to
        self._credential = credential
        self._key = checked_key(key)
        self._seconds = seconds
        self._http: Any = None
        self._proxied = ""

    def send(self, request: Request, *, compressed: bool = False) -> Answer:
        """The answer to a request.

        Raises:
            Broken: none came, or a part of one.
        """
        try:
            return self._send(request, compressed=compressed)
        except (Broken, OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(reason_of(error)) from None
        except BaseException:
            # Interrupted: what is left of the answer must not be taken for the next one.
            self.close()
            raise

    def _send(self, request: Request, *, compressed: bool) -> Answer:
        body, headers = request.body, {"Accept": "application/json", **request.headers}
        if request.body:
            headers["Content-Type"] = request.media
        if compressed:
            body = gzip.compress(body, GZIP_LEVEL, mtime=0)
            headers["Content-Encoding"] = "gzip"
        if self._is_stale(request):
            self.close()
        used = self._http is not None
        try:
            return self._exchange(request, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            # A connection that was open may have been closed for having been idle.
            self.close()
            if not used or not request.repeatable:
                raise
            return self._exchange(request, body, headers)

    def _exchange(self, request: Request, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = self._http or self._open()
        path, all_headers = self._with_key(request.path, headers)
        connection.sock.settimeout(self._seconds)
        early = False
        try:
            connection.request(request.method, path, body=body or None, headers=all_headers)
        except (BrokenPipeError, ConnectionResetError):
            # It may have answered before it had read all, as to a body that is too large.
            if connection.sock is None:
                raise
            connection.sock.settimeout(self._seconds)
            early = True
        response = connection.getresponse()
        answer = response.whole()
        if early or response.will_close or not response.isclosed():
            self.close()
        return self._without_key(answer)

    def _with_key(self, path: str, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        path = self._proxied + self._to.prefix + path
        match self._credential.place:
            case Place.QUERY:
                query = urlencode({self._credential.name: self._key})
                return f"{path}{'&' if '?' in path else '?'}{query}", headers
            case Place.BEARER:
                return path, {**headers, "Authorization": f"Bearer {self._key}"}
            case Place.HEADER:
                return path, {**headers, self._credential.name: self._key}

    def _without_key(self, answer: Answer) -> Answer:
        """An answer in which the key, should the server repeat it, is replaced."""
        if len(self._key) < MIN_REDACTED:
            return answer
        headers, body = dict(answer.headers), answer.body
        for form in {self._key, quote(self._key, safe="")}:
            body = body.replace(form.encode(), b"[key]")
            headers = {name: value.replace(form, "[key]") for name, value in headers.items()}
        return Answer(answer.status, headers, body)

    def _is_stale(self, request: Request) -> bool:
        """Whether the other side has closed an idle connection, or sent what nobody asked for.

        Over TLS there may be something to read at any time. There a closed connection is noticed
        when it is used; only what must not be sent twice does without it if in doubt.
        """
        if self._http is None or (self._to.scheme == "https" and request.repeatable):
            return False
        waiting = select.poll()
        waiting.register(self._http.sock, select.POLLIN)
        return bool(waiting.poll(0))

    def _open(self) -> Any:
        self._http, self._proxied = _open(self._to)
        self._http.timeout = min(CONNECT_SECONDS, self._seconds)
        self._http.response_class = Response
        self._http.connect()
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
