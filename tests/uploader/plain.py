"""An HTTP client that loads no TLS certificates: loading them takes most of a short test's time."""

import ssl
from typing import Any

import httpx2

NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def post(url: str, **options: Any) -> httpx2.Response:
    """Send one request on a connection of its own."""
    return httpx2.post(url, verify=NO_CERTIFICATES, **options)


def client(url: str, headers: dict[str, str]) -> httpx2.Client:
    """A client that keeps its connection to this address."""
    return httpx2.Client(base_url=url, headers=headers, verify=NO_CERTIFICATES)
