"""The route of every upload of every format, and the steps of an upload."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeVar

from litestar.types import HTTPScope, Receive
from msgspec.structs import replace
from prometheus_client import Counter

from uptake.formats.base import (
    Format,
    UploadOperation,
    WireRequest,
    without_bom,
)
from uptake.formats.redecode import context_of
from uptake.http import limits
from uptake.http.access import Access, find_credential, permit_users, require_bound
from uptake.http.error_receipts import ErrorReceipts, Sender
from uptake.http.executors import Executors, unless_gone
from uptake.http.limits import Bodies, Body, Room
from uptake.http.modes import RETRY_SECONDS, Modes
from uptake.http.semantics import Reply, VendorRoute, peer_of
from uptake.http.shutdown import GracefulShutdown
from uptake.http.vendor_routes import response, vendor_route
from uptake.intake.commit import CommitWaiter
from uptake.intake.images import CleanImage, UnusableImage
from uptake.intake.rejections import MAX_INLINE_RAW
from uptake.intake.schemas import DocumentTypes, KnownType
from uptake.model.problems import Kinds, Problem
from uptake.model.receipt import Receipt, StoredAttributes, StoredSamples
from uptake.model.submission import Fault, Origin, Submission, rejected
from uptake.store.base import StoreUnavailable
from uptake.store.definitions import Key
from uptake.store.stored import Committed
from uptake.wiring import Services

Result = TypeVar("Result")

WRITE_SECONDS = 20.0
"""How long an upload waits to be written; less than the 30 seconds that clients commonly wait."""

MAX_INLINE = MAX_INLINE_RAW
"""Bytes of a body up to which it is validated on the event loop, in about a millisecond and without
a disk. A thread would cost more than it saves."""

DUPLICATES_HEADER = "X-Uptake-Duplicates"
"""In the response to an upload: the number of items that changed nothing, because they were already
stored."""

_DUPLICATES = DUPLICATES_HEADER.lower().encode()
_ACCEPTED = b"accept-encoding", b"gzip"
"""What the next request may be encoded with (RFC 9110, 12.5.3). `deflate` is accepted too, but
clients disagree on what it means."""

ITEMS = Counter("uptake_items", "Items by outcome", ["format", "outcome"])


class UploadThreads:
    """What the work of all uploads shares.

    Args:
        executors: threads for look-ups, for large bodies, and for slow checks of documents.
    """

    def __init__(self, executors: Executors) -> None:
        self.executors = executors
        self.waiter = CommitWaiter(WRITE_SECONDS)
        self._look_ups: dict[tuple[str, str], asyncio.Task[KnownType | None]] = {}

    async def look_up(self, types: DocumentTypes, project: str, name: str) -> KnownType | None:
        """Look a document type up; concurrent requests share one look-up."""
        at = project, name
        if at not in self._look_ups:
            work = partial(types.known, project, name)
            look_up = asyncio.create_task(self.executors.authentication.run(work))
            self._look_ups[at] = look_up
            look_up.add_done_callback(partial(self._forget, at))
        # The look-up continues if the client of this request disconnects.
        return await asyncio.shield(self._look_ups[at])

    def _forget(self, at: tuple[str, str], look_up: "asyncio.Task[KnownType | None]") -> None:
        del self._look_ups[at]
        if not look_up.cancelled():
            look_up.exception()  # retrieved, as all requests may have gone


class UploadWork:
    """Runs the stages of one upload in threads, so that the event loop waits for nothing.

    Args:
        threads: see `UploadThreads`.
        key_id: of the API key, which has a share of the schema workers.
        receive: of the request: a stage that has not begun is dropped if the client disconnects.
        inline: see `intake.accept.Work`.
    """

    __slots__ = ("_key_id", "_receive", "_threads", "inline")

    def __init__(
        self, threads: UploadThreads, key_id: str, receive: Receive, *, inline: bool
    ) -> None:
        self._threads = threads
        self._key_id = key_id
        self._receive = receive
        self.inline = inline

    def look_up(self, types: DocumentTypes, project: str, name: str) -> Awaitable[KnownType | None]:
        """See `Work.look_up`."""
        return self._threads.look_up(types, project, name)

    async def image(self, image: Future[CleanImage]) -> None:
        """See `Work.image`."""
        with suppress(UnusableImage):
            await unless_gone(asyncio.wrap_future(image), self._receive)

    async def run(self, work: Callable[[], Result], *, slow: bool = False) -> Result:
        """See `Work.run`."""
        executors = self._threads.executors
        pool = executors.schemas if slow else executors.uploads
        return await pool.run(work, self._receive, key_id=self._key_id, finish=True)

    def committed(self, commit: Future[Committed]) -> Awaitable[Committed]:
        """See `Work.committed`."""
        return self._threads.waiter.wait(commit)


@dataclass(frozen=True, slots=True)
class Ingest:
    """Accepts uploads.

    Attributes:
        threads: where uploads are decoded and validated.
        errors: stores receipts of uploads that are answered with a problem.
    """

    access: Access
    bodies: Bodies
    services: Services
    shutdown: GracefulShutdown
    modes: Modes
    threads: UploadThreads
    errors: ErrorReceipts

    def route(self, form: Format, operation: UploadOperation) -> VendorRoute:
        """The route of an operation."""
        take = partial(self._take, form, operation)
        return vendor_route(operation, self.services.public_url, take)

    async def _take(
        self,
        form: Format,
        operation: UploadOperation,
        scope: HTTPScope,
        receive: Receive,
        wire: WireRequest,
    ) -> Reply:
        """The response to an upload, in the vendor's form.

        Raises:
            ClientGone: the client disconnected.
        """
        sender = Sender(operation.name, wire.request_id, wire.received_at)
        try:
            self.shutdown.check()
            key, wire = await self._admit(operation, wire, scope["query_string"], sender)
            limits.check_headers(wire.headers, operation.body_limit)
            with self.bodies.room(key.id, peer_of(scope)) as room:
                # No frame here keeps the submission: the bytes of an image are freed once stored.
                receipt = await self.services.intake.accept(
                    *await self._received(operation, receive, wire, key, room)
                )
            _count(operation.name, receipt)
            headers = _headers(receipt.duplicates, sender, operation)
            return response(operation.reply(receipt, wire), headers=headers)
        except Problem as problem:
            await self.errors.record(sender, problem)
            return response(form.reject(problem, wire), problem, _headers(0, sender, operation))

    async def _admit(
        self, operation: UploadOperation, wire: WireRequest, query: bytes, sender: Sender
    ) -> tuple[Key, WireRequest]:
        credential, secret = find_credential(operation, wire.headers, query)
        sender.key = await self.access.find(secret)
        key = self.access.check(sender.key, operation.scopes, credential, operation.credentials)
        if key.rates:
            sender.quota = await self.access.count_use(key)
            sender.quota.check()
        if operation.user_from_key:
            require_bound(key)
        if self.modes.maintenance:
            raise Problem(Kinds.MAINTENANCE, retry_after=RETRY_SECONDS)
        return key, replace(wire, credential=credential, bound_user=key.user)

    async def _received(
        self, operation: UploadOperation, receive: Receive, wire: WireRequest, key: Key, room: Room
    ) -> tuple[Submission, Origin, UploadWork]:
        """Read and decode the body."""
        with self.services.commit.arriving:
            body = await limits.read_body(receive, wire.headers, operation.body_limit, room=room)
            inline = operation.inline and len(body.content) <= MAX_INLINE
            work = UploadWork(self.threads, key.id, receive, inline=inline)
            decode = partial(_decode, operation, wire, key, body)
            submission = decode() if inline else await work.run(decode)
        if operation.registered_users_only and key.project in self.modes.registering:
            await work.run(partial(self._check_registered, key.project, submission))
        context = context_of(wire) if submission.rejections or submission.raw else {}
        origin = Origin(
            key.project,
            key.id,
            operation.name,
            wire.request_id,
            wire.received_at,
            context,
            first_image_id=operation.first_image_id,
        )
        return submission, origin, work

    def _check_registered(self, project: str, submission: Submission) -> None:
        """Check that the users of samples are known.

        Raises:
            Problem: `NOT_FOUND`.
        """
        users = {item.user_id for item in submission.items}
        users |= {one.user_id for one in submission.rejections if one.index is not None}
        for user_id in users:
            try:
                known = self.services.store.has_user(project, user_id)
            except StoreUnavailable as error:
                raise Problem(Kinds.UNAVAILABLE) from error
            if not known:
                raise Problem(
                    Kinds.NOT_FOUND, "The user is not registered; register the user first"
                )


def _decode(operation: UploadOperation, wire: WireRequest, key: Key, body: Body) -> Submission:
    content = without_bom(body.content) if operation.is_json else body.content
    if body.fault:
        code = "json_invalid" if operation.is_json else "unreadable"
        submission = rejected([Fault(code, body.fault)], content)
    else:
        submission = operation.decode(replace(wire, body=content))
    permit_users(key, submission.user_ids)
    return submission


def _headers(
    duplicates: int, sender: Sender, operation: UploadOperation
) -> tuple[tuple[bytes, bytes], ...]:
    headers = _ACCEPTED, (_DUPLICATES, b"%d" % duplicates)
    if sender.quota is None:
        return headers
    return *headers, *sender.quota.headers(operation.rate_windows)


def _count(name: str, receipt: Receipt) -> None:
    accepted = sum(
        item.count if isinstance(item, StoredSamples | StoredAttributes) else 1
        for item in receipt.stored
    )
    if accepted:
        _items(name, "accepted").inc(accepted)
    if receipt.rejections:
        _items(name, "refused").inc(len(receipt.rejections))


@cache
def _items(name: str, outcome: str) -> Counter:
    return ITEMS.labels(name, outcome)
