"""From a URL to the blob store that it names."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import from_url

from uptake.blobs.base import Blobs, BlobsUnusable
from uptake.blobs.folder import FolderBlobs
from uptake.blobs.objects import ObjectBlobs
from uptake.blobs.reasons import reason

OBJECT_STORES = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")
"""Schemes of object stores that keep what they are given; obstore knows others that may not."""

CONNECT_SECONDS = 2

ANSWER_SECONDS = 8
"""How long a request may take until it is answered, what it sends included: 20 MiB in that time
are 21 Mbit/s. Whoever waits for a store that does not answer waits this long, once."""

RETRY_SECONDS = 2
RETRIES = 3
"""A request that fails at once is tried again so often, and not after so many seconds; a restart of
a busy gateway is bridged, and one that is down is told in less than a second."""

FIRST_PAUSE = timedelta(milliseconds=50)
LONGEST_PAUSE = timedelta(milliseconds=200)

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
"""Variables that say where an S3 store is, if it is not Amazon's."""


def open_blobs(url: str) -> Blobs:
    """Open the store that a URL or path names: `s3://BUCKET/PREFIX`, `file:///FOLDER`, `./FOLDER`.

    A folder is made if it does not exist. An object store is not spoken to: where it is and how to
    get in stands in its own variables, `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID` and so on.

    Raises:
        BlobsUnusable: there is no such kind of store, or the folder cannot be made.
    """
    try:
        scheme = urlsplit(url).scheme
        if scheme == "file":
            return _folder(Path(unquote(urlsplit(url).path)))
        # A word alone is rather a slip than a folder.
        if not scheme and "/" in url:
            return _folder(Path(url))
        if scheme not in OBJECT_STORES:
            raise BlobsUnusable(f"{url!r} is neither s3://BUCKET/PREFIX nor ./FOLDER")
        return ObjectBlobs(from_url(url, **_patience(), client_options=_client(os.environ)))
    except (BaseError, OSError, ValueError) as error:
        raise BlobsUnusable(f"{url}: {reason(error)}") from error


def _folder(path: Path) -> FolderBlobs:
    folder = path.resolve()
    # What is below it cannot be reached by others, whatever modes obstore gives its files.
    folder.mkdir(0o700, parents=True, exist_ok=True)
    return FolderBlobs(folder)


def _patience() -> dict[str, Any]:
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
    # Without TLS only when the address says so: by default it is rejected as a slip.
    if any(environment.get(name, "").startswith("http://") for name in ENDPOINTS):
        options["allow_http"] = True
    return options
