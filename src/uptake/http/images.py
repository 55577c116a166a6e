"""Serves stored images to clients that know their names."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.response.base import ASGIResponse

from uptake.blobs import Blobs, BlobsUnavailable
from uptake.formats.base import IMAGES_PATH
from uptake.http.access import PUBLIC, header_map
from uptake.http.executors import BoundedExecutor, Executors
from uptake.http.problems import documented
from uptake.http.semantics import AnyRequest, is_head
from uptake.http.streaming import CutOff, Stream, StreamedResponse
from uptake.model.problems import Kinds, Problem
from uptake.store.base import StoreUnavailable
from uptake.store.stored import StoredImage
from uptake.wiring import Services

MAX_AGE = 86400
"""Seconds for which a browser may cache an image. Its bytes never change, but it may be deleted."""

PART = 1024 * 1024
"""Bytes of an image that are read at once, and in memory for each client. Most images are a few
parts, so an object store gets few requests."""

PIECE = 128 * 1024
"""Bytes of an image that are passed to the server at once; it buffers a few for a slow client."""

_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)
_MAX_DIGITS = 18
"""Digits of a byte position; a range with more is ignored."""

_log = structlog.get_logger()


_BINARY = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY))
_FILE = {f"image/{kind}": _BINARY for kind in ("gif", "jpeg", "png", "webp")}


@dataclass
class _Described(Operation):
    """The operation in OpenAPI."""

    def __post_init__(self) -> None:
        self.responses = {
            **(self.responses or {}),
            "200": OpenAPIResponse(description="The image", content=dict(_FILE)),
            "206": OpenAPIResponse(description="The requested range of it", content=dict(_FILE)),
            "304": OpenAPIResponse(description="The client has it already"),
            "416": OpenAPIResponse(description="The range is beyond its end"),
        }


def image_route(services: Services, executors: Executors) -> HTTPRouteHandler:
    """The route of all images."""
    reader = _Reader(services.blobs, executors.blobs)

    def find(name: str) -> StoredImage:
        try:
            image = services.store.image(name)
        except StoreUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error
        if image is None:
            raise Problem(Kinds.NOT_FOUND)
        return image

    @get(
        IMAGES_PATH + "{image_name:str}",
        summary="Download an image",
        tags=["Images"],
        responses=documented(Kinds.BAD_REQUEST, Kinds.NOT_FOUND, Kinds.UNAVAILABLE),
        operation_class=_Described,
        permission=PUBLIC,
    )
    async def download_image(request: AnyRequest, image_name: str) -> ASGIResponse:
        """The path contains a secret name, so no key is needed. `Range` is supported."""
        image = await executors.reads.run(partial(find, image_name), request.receive)
        sent = header_map(request.scope["headers"])
        etag = f'"{image.sha256}"'
        headers = {
            "ETag": etag,
            "Accept-Ranges": "bytes",
            "Cache-Control": f"private, max-age={MAX_AGE}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'",
        }
        if _matches(etag, sent.get("if-none-match", "")):
            return ASGIResponse(status_code=304, headers=headers)
        if is_head(request.scope):
            headers["Content-Length"] = str(image.bytes)
            headers["Content-Type"] = image.media_type
            return ASGIResponse(headers=headers, is_head_response=True)
        try:
            part = requested_range(sent, etag, image.bytes)
        except Unsatisfiable:
            headers["Content-Range"] = f"bytes */{image.bytes}"
            return ASGIResponse(status_code=416, headers=headers, media_type=image.media_type)
        start, end = part or (0, image.bytes)
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{image.bytes}"
        first = await reader.first(image, start, end, request.scope["state"]["request_id"])
        stream = Stream(reader.parts(image, start, end, first), end - start)
        status = 200 if part is None else 206
        return StreamedResponse(stream, headers, image.media_type, status_code=status)

    return download_image


class _Reader:
    """Reads an image from the blob store in parts."""

    def __init__(self, blobs: Blobs, executor: BoundedExecutor) -> None:
        self._blobs = blobs
        self._executor = executor

    async def first(self, image: StoredImage, start: int, end: int, request_id: str) -> bytes:
        """The first part, on which the status of the response depends.

        Raises:
            Problem: `UNAVAILABLE`; `NOT_FOUND` when the bytes are missing, which a retry would not
                change.
        """
        try:
            part = await self._read(image, start, end)
        except BlobsUnavailable as error:
            _log.error("blobs unavailable", reason=str(error), request_id=request_id)
            raise Problem(Kinds.UNAVAILABLE) from error
        if not part:
            _log.error("image without bytes", image=image.image_id, request_id=request_id)
            raise Problem(Kinds.NOT_FOUND, "The image is missing in the blob store")
        return part

    async def parts(
        self, image: StoredImage, start: int, end: int, first: bytes
    ) -> AsyncIterator[bytes]:
        """The first part and all others up to the end, in pieces."""
        part: bytes | None = first
        while part:
            for piece in range(0, len(part), PIECE):
                yield part[piece : piece + PIECE]
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


def _matches(etag: str, if_none_match: str) -> bool:
    """Whether the client has this version already (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]


class Unsatisfiable(Exception):
    """The requested range begins after the end (416)."""


def requested_range(headers: Mapping[str, str], etag: str, size: int) -> tuple[int, int] | None:
    """Start and end of the range that `Range` requests; None for the whole (RFC 9110, 14).

    Several ranges, invalid ranges and ranges of another version (`If-Range`) are the whole, as the
    RFC permits.

    Args:
        headers: of the request, names in lower case.
        etag: strong tag of the current version.
        size: its bytes, at least one.

    Raises:
        Unsatisfiable: the range begins after the end.
    """
    if headers.get("if-range", etag) != etag:
        return None
    found = _RANGE.fullmatch(headers.get("range", ""))
    if found is None or max(map(len, found.groups())) > _MAX_DIGITS:
        return None
    first, last = found.groups()
    if not first:
        if not last:
            return None
        if int(last) == 0:
            raise Unsatisfiable
        return max(size - int(last), 0), size
    start, end = int(first), min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return start, end
