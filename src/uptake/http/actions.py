"""The operations of formats that read or delete what is stored."""

from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl

from litestar.types import HTTPScope, Receive
from msgspec.structs import replace

from uptake.formats.base import (
    FORM,
    AccessToken,
    Account,
    Action,
    ActionOperation,
    ActionResult,
    AskVendor,
    DeleteImage,
    Format,
    GetAccount,
    GetImage,
    GetStatus,
    IssueToken,
    ListImages,
    ServerStatus,
    WireReply,
    WireRequest,
    without_bom,
)
from uptake.http import limits
from uptake.http.access import (
    Access,
    find_credential,
    permit_project,
    permit_users,
    require_bound,
)
from uptake.http.executors import BoundedExecutor
from uptake.http.limits import Bodies
from uptake.http.modes import Modes
from uptake.http.problems import raising_problems
from uptake.http.semantics import Reply, VendorRoute, peer_of
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
        slow: threads for those that wait for a vendor.
    """

    access: Access
    services: Services
    executor: BoundedExecutor
    slow: BoundedExecutor
    shutdown: GracefulShutdown
    modes: Modes
    bodies: Bodies

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
            if operation.has_body:
                wire = await self._with_body(operation, wire, "", scope, receive)
            return operation.answer(await self._perform_public(operation.action(wire)), wire)
        credential, secret = find_credential(operation, wire.headers, query)
        key = await self.access.permit(
            await self.access.find(secret), operation.scopes, credential, operation.credentials
        )
        if operation.user_from_key:
            require_bound(key)
        wire = replace(wire, credential=credential, bound_user=key.user, query=_first_values(query))
        if operation.has_body:
            wire = await self._with_body(operation, wire, key.id, scope, receive)
        action = operation.action(wire)
        work = partial(raising_problems, self._perform, key, operation, action)
        executor = self.slow if isinstance(action, AskVendor) else self.executor
        result = await executor.run(
            work, receive, key_id=key.id, finish=isinstance(action, DeleteImage)
        )
        return operation.answer(result, wire)

    async def _with_body(
        self,
        operation: ActionOperation,
        wire: WireRequest,
        key_id: str,
        scope: HTTPScope,
        receive: Receive,
    ) -> WireRequest:
        """The request with its body.

        Raises:
            Problem: the body cannot be read.
            ClientGone: the client disconnected.
        """
        limits.check_headers(wire.headers, operation.body_limit)
        with self.bodies.room(key_id, peer_of(scope)) as room:
            body = await limits.read_body(receive, wire.headers, operation.body_limit, room=room)
        if body.fault:
            raise Problem(Kinds.BAD_REQUEST, body.fault)
        content = without_bom(body.content)
        if operation.request_media != FORM:
            return replace(wire, body=content)
        return replace(wire, form=_first_values(content))

    async def _perform_public(self, action: Action) -> ActionResult | None:
        """The result of an action that needs no key."""
        match action:
            case GetStatus():
                paused = self.modes.maintenance or self.shutdown.begun.is_set()
                return ServerStatus(accepts_uploads=not paused)
            case IssueToken(key_id, secret):
                return AccessToken(await self.access.log_in(key_id, secret))
        raise TypeError(f"{type(action).__name__} needs an API key")

    def _perform(self, key: Key, operation: ActionOperation, action: Action) -> ActionResult | None:
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
            case AskVendor():
                if action.user_id:
                    permit_users(key, {action.user_id})
                return self.services.relaying.ask(key.project, operation.method, action)
            case GetAccount():
                return Account(key.project, key.scopes, key.user)
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


def _first_values(encoded: bytes) -> dict[str, str]:
    """The parameters of a query, or the fields of a form; of a repeated one the first value."""
    found = parse_qsl(encoded.decode("latin-1"), keep_blank_values=True)
    return dict(reversed(found))
