"""The one handler for every upload of every format."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from litestar.connection import Request
from msgspec.structs import replace
from prometheus_client import Counter

from uptake.formats.again import context_of
from uptake.formats.base import Endpoint, Format, WireReply, WireRequest, without_bom
from uptake.http import limits
from uptake.http.access import Access, find_credential, permit_users
from uptake.http.address import peer_of
from uptake.http.executors import BoundedExecutor, unless_gone
from uptake.http.limits import Bodies, Body, Room
from uptake.http.outcomes import Outcomes
from uptake.http.stopping import Stopping
from uptake.intake.accept import RAW_IN_ROW, Judged, Origin
from uptake.intake.images import CleanImage, UnusableImage
from uptake.intake.outcome import receipt
from uptake.model.items import Image
from uptake.model.problems import Kinds, Problem
from uptake.model.receipt import KeptSamples, Receipt
from uptake.model.submission import Fault, Submission, refused
from uptake.store.records import Key, Written
from uptake.wiring import Services

INLINE = RAW_IN_ROW
"""Bytes of a JSON body up to which it is judged on the event loop, in about a millisecond and
without touching a disk; a thread would cost more than it saves. Larger ones and images get one."""

WRITE_SECONDS = 20.0
"""How long an upload waits to be written; less than the 30 seconds that clients commonly wait."""

ITEMS = Counter("uptake_items", "Items by what became of them", ["format", "outcome"])

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Ingest:
    """Takes uploads in; what it needs for that.

    Attributes:
        threads: where images and large bodies are judged, which may have to wait for blobs.
        outcomes: where it is heard what was written.
    """

    access: Access
    bodies: Bodies
    services: Services
    stopping: Stopping
    threads: BoundedExecutor
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(WRITE_SECONDS))

    async def take(
        self, form: Format, endpoint: Endpoint, request: AnyRequest, wire: WireRequest, query: bytes
    ) -> tuple[WireReply, Problem | None]:
        """The answer to an upload, in the vendor's form, and the problem it tells, if any.

        Raises:
            ClientGone: there is nobody left to answer.
        """
        try:
            self.stopping.refuse()
            key, wire = await self._admit(endpoint, wire, query)
            limits.check_headers(wire.headers, endpoint.body_limit)
            with self.bodies.room(key.id, peer_of(request.scope)) as room:
                with self.services.commit.expecting():
                    bodies = [await self._read(endpoint, request, wire, room)]
                    judged = await self._judge(endpoint, request, wire, bodies, key)
                written = await self._write(judged)
            result = receipt(judged, written)
            _count(endpoint, result)
            return endpoint.reply(result, wire), None
        except Problem as problem:
            return form.refuse(problem, wire), problem

    async def _admit(
        self, endpoint: Endpoint, wire: WireRequest, query: bytes
    ) -> tuple[Key, WireRequest]:
        credential, secret = find_credential(endpoint, wire.headers, query)
        key = await self.access.admit(secret, endpoint.scope)
        if endpoint.user_from_key and key.user is None:
            raise Problem(Kinds.FORBIDDEN, "The key is not bound to a user")
        return key, replace(wire, credential=credential, bound_user=key.user)

    async def _read(
        self, endpoint: Endpoint, request: AnyRequest, wire: WireRequest, room: Room
    ) -> Body:
        body = await limits.read_body(request.receive, wire.headers, endpoint.body_limit, room=room)
        if endpoint.request_type is None:
            return body
        return Body(without_bom(body.content), body.fault)

    async def _judge(
        self,
        endpoint: Endpoint,
        request: AnyRequest,
        wire: WireRequest,
        bodies: list[Body],
        key: Key,
    ) -> Judged:
        def judge_now() -> Judged:
            return self._judge_decoded(
                endpoint, wire, _decode(endpoint, wire, bodies, key), key, iter(())
            )

        if endpoint.request_type is None:
            return await self._judge_images(endpoint, request, wire, bodies, key)
        if len(bodies[0].content) <= INLINE:
            return judge_now()
        # Once begun it may have put bytes away, which are nobody's unless they are written.
        return await self.threads.run(judge_now, request.receive, finish=True)

    async def _judge_images(
        self,
        endpoint: Endpoint,
        request: AnyRequest,
        wire: WireRequest,
        bodies: list[Body],
        key: Key,
    ) -> Judged:
        """Decode a form, clean its images, and store them; each in the threads for that."""
        decode = partial(_decode, endpoint, wire, bodies, key)
        submission = await self.threads.run(decode, request.receive)
        images = await self._cleaned(submission, request, key)

        def judge_now() -> Judged:
            return self._judge_decoded(endpoint, wire, submission, key, iter(images))

        return await self.threads.run(judge_now, request.receive, finish=True)

    async def _cleaned(
        self, submission: Submission, request: AnyRequest, key: Key
    ) -> list[Future[CleanImage]]:
        """The images of a submission, cleaned or found unusable, in threads of their own."""
        images = []
        for item in submission.items:
            if isinstance(item, Image):
                image = self.services.images.clean(key.id, item.content)
                images.append(image)
                with suppress(UnusableImage):
                    await unless_gone(asyncio.wrap_future(image), request.receive)
        return images

    async def _write(self, judged: Judged) -> tuple[Written, ...]:
        """Have it written; what has not begun after `WRITE_SECONDS` never will."""
        try:
            return await self.outcomes.of(self.services.commit.submit(judged.entry))
        except TimeoutError:
            raise Problem(Kinds.UNAVAILABLE, "Storage takes too long") from None

    def _judge_decoded(
        self,
        endpoint: Endpoint,
        wire: WireRequest,
        submission: Submission,
        key: Key,
        images: Iterator[Future[CleanImage]],
    ) -> Judged:
        context = context_of(wire) if submission.refusals else {}
        origin = Origin(
            key.project, key.id, endpoint.name, wire.request_id, wire.received_at, context
        )
        return self.services.intake.judge(submission, origin, lambda _: next(images).result())


def _decode(endpoint: Endpoint, wire: WireRequest, bodies: list[Body], key: Key) -> Submission:
    # Taken out of the list and held by nobody else: a body goes when it is decoded, and what is
    # large in it is not in memory twice while a blob store is waited for.
    content, fault = bodies.pop()
    if fault:
        code = "unreadable" if endpoint.request_type is None else "json_invalid"
        submission = refused([Fault(code, fault)], content)
    else:
        submission = endpoint.decode(replace(wire, body=content))
    permit_users(key, submission.user_ids)
    return submission


def _count(endpoint: Endpoint, result: Receipt) -> None:
    kept = sum(item.count if isinstance(item, KeptSamples) else 1 for item in result.kept)
    if kept:
        _items(endpoint.name, "accepted").inc(kept)
    if result.refusals:
        _items(endpoint.name, "refused").inc(len(result.refusals))


@cache
def _items(name: str, outcome: str) -> Counter:
    return ITEMS.labels(name, outcome)


def header_map(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Headers by name in lower case; of several with one name, the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
