"""Uptake: a self-hosted intake for data about users."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uptake.uploader.client import Client as Client
    from uptake.uploader.client import Outcome as Outcome
    from uptake.uploader.client import RequestFailed as RequestFailed
    from uptake.uploader.client import Sample as Sample
    from uptake.uploader.library import Uploader as Uploader
    from uptake.uploader.sending.answers import Broken as Broken
    from uptake.uploader.sending.connection import InvalidKey as InvalidKey
    from uptake.uploader.tally import Summary as Summary

__version__ = "0.1.0"

_WHERE = {
    "Broken": "sending.answers",
    "Client": "client",
    "InvalidKey": "sending.connection",
    "Outcome": "client",
    "RequestFailed": "client",
    "Sample": "client",
    "Summary": "tally",
    "Uploader": "library",
}


def __getattr__(name: str) -> Any:
    """What of the uploader is used as a library; the server does not load it."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"uptake.uploader.{_WHERE[name]}"), name)
