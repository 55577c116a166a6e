"""A persistent connection to a destination."""

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

from uptake.formats.base import Credential
from uptake.uploader.sending.answers import Answer, Broken, Response, reason_of

GZIP_LEVEL = 1
"""Samples as JSON shrink to a tenth; higher levels cost more time than they save."""

CONNECT_SECONDS = 10.0
_VISIBLE = re.compile("[!-~]*")

PORTS = {"http": 80, "https": 443}

MIN_REDACTED = 8
"""Minimum length of keys that are replaced in answers; a shorter one may occur by chance."""


class InvalidKey(ValueError):
    """The key is not valid; the message does not repeat it."""


def checked_key(key: str) -> str:
    """A key without surrounding spaces and line ends.

    Raises:
        InvalidKey: it has other characters than visible ASCII, which a header cannot carry.
    """
    stripped = key.strip()
    if not all("!" <= character <= "~" for character in stripped):
        raise InvalidKey(
            "the key is not valid: it may have letters, digits and punctuation of ASCII, and no"
            " spaces, line breaks or other characters within"
        )
    return stripped


class WrongAddress(ValueError):
    """The URL is not one that can be sent to; see the message."""


class Unreachable(Exception):
    """The server does not answer, or its answer cannot be used; see the message."""


class Request(msgspec.Struct, frozen=True):
    """A request without the key.

    Attributes:
        path: quoted.
        body, media: its body and the media type of that.
        headers: other headers.
        method: the HTTP method.
        repeatable: whether a repeat has no effect; if not, a request that may have arrived is never
            sent again.
    """

    path: str
    body: bytes
    media: str
    headers: Mapping[str, str] = {}
    method: str = "POST"
    repeatable: bool = True


class Destination(msgspec.Struct, frozen=True):
    """A receiver.

    Attributes:
        url: scheme, host, port and the prefix of all paths, without a slash at the end.
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
        WrongAddress: it is not an http or https URL, or has a password, a query or a fragment.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise WrongAddress(f"{url!r} is not a URL: {error}") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise WrongAddress(f"{url!r} is not a URL; expected http://HOST or https://HOST")
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
    """A path with the value, quoted, in place of the name in braces."""
    return template.replace("{" + name + "}", quote(value, safe=""))


class Connection:
    """Sends one request at a time; connects on demand, through a proxy if one is set.

    Redirects are not followed: the key is sent to the destination alone.

    Args:
        to: the destination.
        credential: where the key is sent.
        key: the key.
        seconds: time limit of sending a request, and again of its answer.

    Raises:
        InvalidKey: the key is not valid.
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
            Broken: there is none, or only a part of it.
        """
        try:
            return self._send(request, compressed=compressed)
        except (Broken, OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(reason_of(error)) from None
        except BaseException:
            # Interrupted: the rest of the answer must not be taken for the next one.
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
            # The server may have closed an idle connection.
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
            # The server may answer before it has read everything, as for a body that is too large.
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
        with_key, query = self._credential.carry(self._key)
        if query:
            path += f"{'&' if '?' in path else '?'}{urlencode(query)}"
        return path, {**headers, **with_key}

    def _without_key(self, answer: Answer) -> Answer:
        """An answer in which the key is replaced, if the server repeats it."""
        if len(self._key) < MIN_REDACTED:
            return answer
        headers, body = dict(answer.headers), answer.body
        for form in {self._key, quote(self._key, safe="")}:
            body = body.replace(form.encode(), b"[key]")
            headers = {name: value.replace(form, "[key]") for name, value in headers.items()}
        return Answer(answer.status, headers, body)

    def _is_stale(self, request: Request) -> bool:
        """Whether the server has closed an idle connection, or sent something without a request.

        Over TLS there may be something to read at any time: a closed connection is found out when
        it is used, and only a request that must not be repeated avoids it if in doubt.
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
        """Close it; the next request connects again."""
        if self._http is not None:
            self._http.close()
            self._http = None


def _open(to: Destination) -> tuple[http.client.HTTPConnection, str]:
    """A connection, and the prefix of paths that a proxy requires."""
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
