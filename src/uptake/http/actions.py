"""The operations of formats that read or delete what is stored."""

from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl

from litestar.types import HTTPScope, Receive
from msgspec.structs import replace

from uptake.formats.base import (
    Account,
    Action,
    ActionOperation,
    ActionResult,
    DeleteImage,
    Format,
    GetAccount,
    GetImage,
    GetStatus,
    ListImages,
    ServerStatus,
    WireReply,
    WireRequest,
)
from uptake.http.access import Access, find_credential, permit_project, permit_users
from uptake.http.executors import BoundedExecutor
from uptake.http.maintenance import MaintenanceWatch
from uptake.http.problems import raising_problems
from uptake.http.semantics import Reply, VendorRoute
from uptake.http.shutdown import GracefulShutdown
from uptake.http.vendor_routes import response, vendor_route
from uptake.intake.deletions import Deleter
from uptake.model.problems import Kinds, Problem
from uptake.model.receipt import StoredImage
from uptake.store import stored
from uptake.store.definitions import Key
from uptake.wiring import Services


@dataclass(frozen=True, slots=True)
class Actions:
    """Serves the action operations of formats.

    Attributes:
        executor: threads for them.
    """

    access: Access
    services: Services
    executor: BoundedExecutor
    shutdown: GracefulShutdown
    maintenance: MaintenanceWatch

    def route(self, form: Format, operation: ActionOperation) -> VendorRoute:
        """The route of an operation."""

        async def take(scope: HTTPScope, receive: Receive, wire: WireRequest) -> Reply:
            try:
                return response(await self._answer(operation, wire, scope, receive))
            except Problem as problem:
                return response(form.reject(problem, wire), problem)

        return vendor_route(operation, self.services.public_url, take)

    async def _answer(
        self, operation: ActionOperation, wire: WireRequest, scope: HTTPScope, receive: Receive
    ) -> WireReply:
        """The answer to a request, in the vendor's form.

        Raises:
            Problem: the request is not permitted or invalid, or fails.
            ClientGone: the client disconnected.
        """
        query = scope["query_string"]
        if not operation.credentials:
            return operation.answer(self._perform_public(operation.action(wire)), wire)
        credential, secret = find_credential(operation, wire.headers, query)
        key = await self.access.permit(
            await self.access.find(secret), operation.scopes, credential, operation.credentials
        )
        wire = replace(wire, credential=credential, bound_user=key.user, query=_first_values(query))
        action = operation.action(wire)
        work = partial(raising_problems, self._perform, key, action)
        result = await self.executor.run(
            work, receive, key_id=key.id, finish=isinstance(action, DeleteImage)
        )
        return operation.answer(result, wire)

    def _perform_public(self, action: Action) -> ActionResult:
        """The result of an action that needs no key, and no disk."""
        match action:
            case GetStatus():
                paused = self.maintenance.is_on or self.shutdown.begun.is_set()
                return ServerStatus(accepts_uploads=not paused)
        raise TypeError(f"{type(action).__name__} needs an API key")

    def _perform(self, key: Key, action: Action) -> ActionResult:
        match action:
            case ListImages(user_id, skip, limit):
                if user_id is None:
                    permit_project(key)
                else:
                    permit_users(key, {user_id})
                found = self.services.store.latest_images(key.project, user_id, skip, limit)
                return [_image(one) for one in found]
            case GetImage(user_id, image_id):
                permit_users(key, {user_id})
                image = self.services.store.numbered_image(key.project, image_id)
                if image is None or image.user_id != user_id:
                    raise Problem(Kinds.NOT_FOUND)
                return _image(image)
            case DeleteImage(image_id):
                return self._delete(key, image_id)
            case GetAccount():
                return Account(key.project, key.scopes)
        raise TypeError(f"{type(action).__name__} needs no API key")

    def _delete(self, key: Key, image_id: int) -> StoredImage:
        services = self.services
        image = services.store.numbered_image(key.project, image_id)
        if image is None:
            raise Problem(Kinds.NOT_FOUND)
        permit_users(key, {image.user_id})
        if not Deleter(services.store, services.blobs, key.project).image(image):
            raise Problem(Kinds.NOT_FOUND)
        return _image(image)


def _image(image: stored.StoredImage) -> StoredImage:
    return StoredImage(image.image_id, image.name, image.uploaded_bytes)


def _first_values(query: bytes) -> dict[str, str]:
    """The query parameters; of a repeated one the first value."""
    found = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return dict(reversed(found))
