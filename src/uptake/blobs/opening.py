"""Opens the blob store of a URL."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import from_url

from uptake.blobs.base import Blobs, BlobsUnusable, UnknownBlobs
from uptake.blobs.folder import FolderBlobs
from uptake.blobs.objects import ObjectBlobs
from uptake.blobs.reasons import reason

OBJECT_STORES = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")
"""Schemes of durable object stores; obstore supports others that may not be."""

CONNECT_SECONDS = 2

ANSWER_SECONDS = 8
"""Timeout of a request, including its body: 20 MiB in that time are 21 Mbit/s. A caller waits this
long for a store that does not respond, once."""

RETRY_SECONDS = 2
RETRIES = 3
"""A request that fails at once is retried so often, within so many seconds. That bridges the
restart of a busy gateway, and reports one that is down in less than a second."""

FIRST_PAUSE = timedelta(milliseconds=50)
LONGEST_PAUSE = timedelta(milliseconds=200)

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
"""Environment variables with the address of an S3 store other than Amazon's."""


def open_blobs(url: str) -> Blobs:
    """Open the store of a URL or path: `s3://BUCKET/PREFIX`, `file:///FOLDER`, `./FOLDER`.

    A folder is created if it does not exist. An object store is not contacted; its address and
    credentials are in its own variables, `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID` and so on.

    Raises:
        UnknownBlobs: the kind of store is unknown.
        BlobsUnusable: the folder cannot be created.
    """
    try:
        folder = folder_of(url)
        if folder is not None:
            return _open_folder(folder)
        scheme = urlsplit(url).scheme
        if scheme not in OBJECT_STORES:
            raise UnknownBlobs(f"{url!r} is neither s3://BUCKET/PREFIX nor ./FOLDER")
        return ObjectBlobs(from_url(url, **_retries(), client_options=_client(os.environ)))
    except (BaseError, OSError, ValueError) as error:
        raise BlobsUnusable(f"{url}: {reason(error)}") from error


def folder_of(url: str) -> Path | None:
    """The folder that a URL or path refers to; None for an object store."""
    scheme = urlsplit(url).scheme
    if scheme == "file":
        return Path(unquote(urlsplit(url).path)).resolve()
    # A single word is more likely a mistake than a folder.
    return Path(url).resolve() if not scheme and "/" in url else None


def _open_folder(folder: Path) -> FolderBlobs:
    # Other users cannot reach what is below it, whatever modes obstore gives its files.
    folder.mkdir(0o700, parents=True, exist_ok=True)
    return FolderBlobs(folder)


def _retries() -> dict[str, Any]:
    return {
        "retry_config": {
            "max_retries": RETRIES,
            "retry_timeout": timedelta(seconds=RETRY_SECONDS),
            "backoff": {"init_backoff": FIRST_PAUSE, "max_backoff": LONGEST_PAUSE, "base": 2},
        }
    }


def _client(environment: Mapping[str, str]) -> Any:
    options: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "read_timeout": timedelta(seconds=ANSWER_SECONDS),
    }
    # Without TLS only if the address has `http://`; obstore rejects that by default.
    if any(environment.get(name, "").startswith("http://") for name in ENDPOINTS):
        options["allow_http"] = True
    return options
