"""Serves kept images to whoever knows their names."""

import asyncio
from typing import Any

from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler

from uptake.blobs import BlobsUnavailable
from uptake.formats.base import IMAGES_PATH
from uptake.model.problems import Kinds, Problem
from uptake.store.base import StoreUnavailable
from uptake.store.records import KeptImage
from uptake.wiring import Services

MAX_AGE = 86400
"""Seconds for which a browser may keep an image: the bytes under a name never change, but a name
may cease to exist."""


def image_route(services: Services) -> HTTPRouteHandler:
    """The route of all images, over these services."""

    def find(name: str) -> KeptImage:
        try:
            image = services.store.image(name)
        except StoreUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error
        if image is None:
            raise Problem(Kinds.NOT_FOUND)
        return image

    def load(image: KeptImage) -> bytes:
        try:
            content = services.blobs.get(image.blob)
        except BlobsUnavailable as error:
            raise Problem(Kinds.UNAVAILABLE) from error
        if content is None:
            raise Problem(Kinds.UNAVAILABLE, "The image's bytes are missing from the blob store")
        return content

    @route(
        IMAGES_PATH + "{name:str}",
        http_method=[HttpMethod.GET, HttpMethod.HEAD],
        include_in_schema=False,
    )
    async def get_image(request: Request[Any, Any, Any], name: str) -> Response[bytes]:
        image = await asyncio.to_thread(find, name)
        etag = f'"{image.sha256}"'
        headers = {
            "ETag": etag,
            "Cache-Control": f"private, max-age={MAX_AGE}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'",
        }
        if _is_known(etag, request.headers.get("if-none-match", "")):
            return Response(b"", status_code=304, headers=headers, media_type=image.media_type)
        if request.method == "HEAD":
            headers["Content-Length"] = str(image.bytes)
            return Response(b"", headers=headers, media_type=image.media_type)
        content = await asyncio.to_thread(load, image)
        return Response(content, headers=headers, media_type=image.media_type)

    return get_image


def _is_known(etag: str, if_none_match: str) -> bool:
    """Whether a client has what the tag stands for (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]
