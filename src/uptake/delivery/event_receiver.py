"""One connection to the receiver of a webhook, to an address that is checked when it connects.

A name is resolved here, and the connection is made to the address that was checked. So a name that
has another address a moment later changes nothing. Redirects are not followed, and the proxies of
the environment are not used: either could lead to an address that was not checked.
"""

import http.client
import ipaddress
import re
import socket
import ssl
import threading
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import cache
from urllib.parse import urlsplit

from msgspec import Struct

from uptake import __version__
from uptake.model import clock
from uptake.time_units import MICROSECONDS_PER_SECOND

CONNECT_SECONDS = 5.0
"""Time limit of a connection."""

ATTEMPT_SECONDS = 20.0
"""Time limit of an attempt from the connection to the end of the answer, however slow it arrives.
Standard Webhooks recommends 15 to 30 seconds."""

MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read so that the connection can be used again. Their content is
not used."""

MAX_URL = 2000
"""Characters of a URL."""

MAX_RETRY_AFTER = 3600
"""Seconds of `Retry-After` that are respected; a longer time is not plausible."""

_URL = re.compile(r"https?://[!-~]+", re.IGNORECASE)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class InvalidUrl(ValueError):
    """The URL cannot be that of a webhook; the message is the reason."""


class NotDelivered(Exception):
    """The receiver did not accept an event; the message is the reason.

    Attributes:
        retry_after: seconds that it asks to wait.
    """

    def __init__(self, reason: str, retry_after: int = 0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Url(Struct, frozen=True):
    """The parts of a URL."""

    is_encrypted: bool
    host: str
    port: int
    target: str


def parse_url(text: str, *, allow_private: bool) -> Url:
    """The parts of the URL of a webhook.

    Raises:
        InvalidUrl: it is not one, or without `allow_private` names a private address.
    """
    if len(text) > MAX_URL or not _URL.fullmatch(text):
        raise InvalidUrl(f"must be a URL of https, with at most {MAX_URL} characters")
    try:
        parts = urlsplit(text)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError as error:
        raise InvalidUrl(f"is not a URL: {error}") from None
    if not host or parts.username is not None or parts.fragment:
        raise InvalidUrl("must have a host, and no user name, password or fragment")
    is_encrypted = parts.scheme.lower() == "https"
    if not is_encrypted and not allow_private:
        raise InvalidUrl("must be a URL of https; http is only allowed with allow_private")
    if not allow_private and _is_private_literal(host):
        raise InvalidUrl(f"{host} is not a public address; it needs allow_private")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(is_encrypted, host, port or (443 if is_encrypted else 80), target)


def _is_private_literal(host: str) -> bool:
    """Whether a host is an address, and not a public one. A name is resolved when it is used."""
    try:
        return not is_public(ipaddress.ip_address(host))
    except ValueError:
        return False


def is_public(address: Address) -> bool:
    """Whether an address is of the internet, and not of this machine or a network inside."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _nat64(address)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address of IPv4 in an address of a translator (RFC 6052)."""
    if address in ipaddress.IPv6Network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def connect(url: Url, *, allow_private: bool) -> socket.socket:
    """Connect to a host, if the address is public or private ones are allowed.

    Raises:
        OSError: it cannot be connected to.
        NotDelivered: it has no public address.
    """
    found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    private, failure = "", OSError("the name has no address")
    for family, kind, protocol, _, where in found:
        address = ipaddress.ip_address(str(where[0]).partition("%")[0])
        if not allow_private and not is_public(address):
            private = str(address)
            continue
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(CONNECT_SECONDS)
        try:
            connection.connect(where)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    if private:
        raise NotDelivered(f"{url.host} has the private address {private}, which is not allowed")
    raise failure


@cache
def _certificates() -> ssl.SSLContext:
    """The certificates of the system; to load them takes 20 ms."""
    return ssl.create_default_context()


class _Connection(http.client.HTTPConnection):
    """A connection of `http.client` on a checked address."""

    def __init__(self, url: Url, *, allow_private: bool) -> None:
        super().__init__(url.host, url.port, timeout=ATTEMPT_SECONDS)
        if url.is_encrypted:
            self.default_port = 443
        self._url = url
        self._allow_private = allow_private

    def connect(self) -> None:
        """Connect, and encrypt the connection."""
        plain = connect(self._url, allow_private=self._allow_private)
        self.sock = plain
        if self._url.is_encrypted:
            self.sock = _certificates().wrap_socket(plain, server_hostname=self._url.host)
        self.sock.settimeout(ATTEMPT_SECONDS)


class EventReceiver:
    """Posts events, one after the other."""

    def __init__(self, url: str, *, allow_private: bool) -> None:
        self._url = parse_url(url, allow_private=allow_private)
        self._allow_private = allow_private
        self._connection: _Connection | None = None

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        """Send an event. Returns the status, which is one of success.

        Raises:
            NotDelivered: the receiver cannot be reached, or answers with another status.
        """
        is_reused = self._connection is not None
        try:
            return self._attempt(body, headers)
        except (ConnectionError, http.client.BadStatusLine) as error:
            # The receiver may have closed an idle connection.
            if not is_reused:
                raise NotDelivered(_reason(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise NotDelivered(_reason(error)) from error
        try:
            return self._attempt(body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise NotDelivered(_reason(error)) from error

    def _attempt(self, body: bytes, headers: dict[str, str]) -> int:
        connection = self._connection or _Connection(self._url, allow_private=self._allow_private)
        self._connection = None
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(ATTEMPT_SECONDS, end)
        timer.daemon = True
        timer.start()
        try:
            answer = self._exchange(connection, body, headers)
        except (OSError, http.client.HTTPException):
            connection.close()
            if is_late.is_set():
                raise TimeoutError(f"no answer within {ATTEMPT_SECONDS:g} seconds") from None
            raise
        except NotDelivered:
            connection.close()
            raise
        finally:
            timer.cancel()
        if answer.is_complete:
            self._connection = connection
        else:
            connection.close()
        if 200 <= answer.status < 300:
            return answer.status
        raise NotDelivered(f"the receiver answers {answer.status}", answer.retry_after)

    def _exchange(self, connection: _Connection, body: bytes, headers: dict[str, str]) -> "_Answer":
        fixed = {"Content-Type": "application/json", "User-Agent": f"uptake/{__version__}"}
        connection.request("POST", self._url.target, body, fixed | headers)
        response = connection.getresponse()
        rest = response.read(MAX_ANSWER + 1)
        is_complete = len(rest) <= MAX_ANSWER and response.isclosed() and not response.will_close
        return _Answer(response.status, is_complete, _seconds(response.headers["Retry-After"]))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Answer(Struct, frozen=True):
    status: int
    is_complete: bool
    retry_after: int


def _seconds(text: str | None) -> int:
    """The seconds of `Retry-After`; 0 if there is none that can be read."""
    if not text:
        return 0
    if text.strip().isascii() and text.strip().isdigit():
        return min(int(text.strip()[:9]), MAX_RETRY_AFTER)
    with suppress(ValueError, TypeError, OverflowError):
        left = parsedate_to_datetime(text).timestamp() - clock.now() / MICROSECONDS_PER_SECOND
        return max(0, min(int(left), MAX_RETRY_AFTER))
    return 0


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return "the answer is not HTTP"
