"""Uptake: a self-hosted intake for user data.

The names of this package are the uploader and the client as a library; the server is used through
the command line. Each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uptake.uploader.client import Client, Outcome, RequestFailed, Sample
    from uptake.uploader.library import Uploader
    from uptake.uploader.reader import Bucket, Image, Profile, Rows, StoredSample, User
    from uptake.uploader.sending.answers import Broken
    from uptake.uploader.sending.connection import InvalidKey
    from uptake.uploader.tally import Summary

__version__ = "0.1.0"

__all__ = [
    "Broken",
    "Bucket",
    "Client",
    "Image",
    "InvalidKey",
    "Outcome",
    "Profile",
    "RequestFailed",
    "Rows",
    "Sample",
    "StoredSample",
    "Summary",
    "Uploader",
    "User",
    "__version__",
]

_MODULES = {
    "Broken": "sending.answers",
    "Bucket": "reader",
    "Client": "client",
    "Image": "reader",
    "InvalidKey": "sending.connection",
    "Outcome": "client",
    "Profile": "reader",
    "RequestFailed": "client",
    "Rows": "reader",
    "Sample": "client",
    "StoredSample": "reader",
    "Summary": "tally",
    "Uploader": "library",
    "User": "reader",
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
