"""Serves kept images to whoever knows their names."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import structlog
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from uptake.blobs import Blobs, BlobsUnavailable
from uptake.formats.base import IMAGES_PATH
from uptake.http.access import PUBLIC
from uptake.http.address import is_head
from uptake.http.executors import BoundedExecutor, Executors
from uptake.http.ingest import header_map
from uptake.http.ranges import Unsatisfiable, wanted
from uptake.http.streaming import CutOff, Streamed
from uptake.model.problems import Kinds, Problem
from uptake.store.base import StoreUnavailable
from uptake.store.stored import StoredImage
from uptake.wiring import Services

MAX_AGE = 86400
"""Seconds for which a browser may keep an image: the bytes under a name never change, but a name
may cease to exist."""

PART = 1024 * 1024
"""Bytes of an image that are read from the blob store at once, and in memory for each client: most
images are one or a few of them, so that an object store is asked rarely."""

_log = structlog.get_logger()


def image_route(services: Services, executors: Executors) -> HTTPRouteHandler:
    """The route of all images, over these services."""
    reading = _Reading(services.blobs, executors.blobs)

    def find(name: str) -> StoredImage:
        try:
            image = services.store.image(name)
        except StoreUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error
        if image is None:
            raise Problem(Kinds.NOT_FOUND)
        return image

    @get(IMAGES_PATH + "{name:str}", include_in_schema=False, permission=PUBLIC)
    async def get_image(request: Request[Any, Any, Any], name: str) -> ASGIResponse:
        image = await executors.reads.run(partial(find, name), request.receive)
        asked = header_map(request.scope["headers"])
        etag = f'"{image.sha256}"'
        headers = {
            "ETag": etag,
            "Accept-Ranges": "bytes",
            "Cache-Control": f"private, max-age={MAX_AGE}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'",
        }
        if _is_known(etag, asked.get("if-none-match", "")):
            return ASGIResponse(status_code=304, headers=headers)
        if is_head(request.scope):
            headers["Content-Length"] = str(image.bytes)
            headers["Content-Type"] = image.media_type
            return ASGIResponse(headers=headers, is_head_response=True)
        try:
            part = wanted(asked, etag, image.bytes)
        except Unsatisfiable:
            headers["Content-Range"] = f"bytes */{image.bytes}"
            return ASGIResponse(status_code=416, headers=headers, media_type=image.media_type)
        start, end = part or (0, image.bytes)
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{image.bytes}"
        first = await reading.first(image, start, end, request.scope["state"]["request_id"])
        return Streamed(
            reading.parts(image, start, end, first),
            end - start,
            status_code=200 if part is None else 206,
            headers=headers,
            media_type=image.media_type,
        )

    return get_image


class _Reading:
    """Reads an image's bytes from the blob store, a part at a time."""

    def __init__(self, blobs: Blobs, executor: BoundedExecutor) -> None:
        self._blobs = blobs
        self._executor = executor

    async def first(self, image: StoredImage, start: int, end: int, request_id: str) -> bytes:
        """The first part, which decides on the status of the answer.

        Raises:
            Problem: `UNAVAILABLE`, or `NOT_FOUND` when the bytes are gone: to ask again would not
                bring them back.
        """
        try:
            part = await self._read(image, start, end)
        except BlobsUnavailable as error:
            _log.error("blobs unavailable", reason=str(error), request_id=request_id)
            raise Problem(Kinds.UNAVAILABLE) from error
        if not part:
            _log.error("image without bytes", image=image.image_id, request_id=request_id)
            raise Problem(Kinds.NOT_FOUND, "The image's bytes are gone from the blob store")
        return part

    async def parts(
        self, image: StoredImage, start: int, end: int, first: bytes
    ) -> AsyncIterator[bytes]:
        """The first part and all others up to the end."""
        part: bytes | None = first
        while part:
            yield part
            start += len(part)
            if start >= end:
                return
            try:
                part = await self._read(image, start, end)
            except (BlobsUnavailable, Problem) as error:
                raise CutOff from error
        raise CutOff

    async def _read(self, image: StoredImage, start: int, end: int) -> bytes | None:
        end = min(end, start + PART)
        return await self._executor.run(partial(self._blobs.read, image.blob, start, end))


def _is_known(etag: str, if_none_match: str) -> bool:
    """Whether a client has what the tag stands for (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]
