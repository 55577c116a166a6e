"""Uptake: a self-hosted intake for user data.

The names of this package are the uploader and the client as a library; the server is used through
the command line. Each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uptake.uploader.async_client import AsyncClient, AsyncRows
    from uptake.uploader.client import Client, Outcome, RequestFailed, Sample
    from uptake.uploader.ledger import LedgerUnusable
    from uptake.uploader.library import Uploader
    from uptake.uploader.reader import (
        Bucket,
        Document,
        Image,
        Member,
        Profile,
        Rows,
        StoredSample,
        User,
    )
    from uptake.uploader.sending.answers import Broken
    from uptake.uploader.sending.connection import InvalidKey, Unreachable, WrongAddress
    from uptake.uploader.sending.schedule import Halt
    from uptake.uploader.sources import UnknownSource
    from uptake.uploader.tally import Summary
    from uptake.uploader.verify.check import Verification

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "AsyncRows",
    "Broken",
    "Bucket",
    "Client",
    "Document",
    "Halt",
    "Image",
    "InvalidKey",
    "LedgerUnusable",
    "Member",
    "Outcome",
    "Profile",
    "RequestFailed",
    "Rows",
    "Sample",
    "StoredSample",
    "Summary",
    "UnknownSource",
    "Unreachable",
    "Uploader",
    "User",
    "Verification",
    "WrongAddress",
    "__version__",
]

_MODULES = {
    "AsyncClient": "async_client",
    "AsyncRows": "async_client",
    "Broken": "sending.answers",
    "Bucket": "reader",
    "Client": "client",
    "Document": "reader",
    "Halt": "sending.schedule",
    "Image": "reader",
    "InvalidKey": "sending.connection",
    "LedgerUnusable": "ledger",
    "Member": "reader",
    "Outcome": "client",
    "Profile": "reader",
    "RequestFailed": "client",
    "Rows": "reader",
    "Sample": "client",
    "StoredSample": "reader",
    "Summary": "tally",
    "UnknownSource": "sources",
    "Unreachable": "sending.connection",
    "Uploader": "library",
    "User": "reader",
    "Verification": "verify.check",
    "WrongAddress": "sending.connection",
}
"""The module of each name, in `uptake.uploader`."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"uptake.uploader.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
