"""The one handler for every upload of every format."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from litestar.connection import Request
from msgspec.structs import replace
from prometheus_client import Counter

from uptake.formats.base import JSON, Format, UploadOperation, WireReply, WireRequest, without_bom
from uptake.http import limits
from uptake.http.access import Access, find_credential
from uptake.http.address import peer_of
from uptake.http.error_receipts import ErrorReceipts, Sender
from uptake.http.judging import Judging, Upload
from uptake.http.limits import Bodies, Body, Room
from uptake.http.outcomes import Outcomes
from uptake.http.stopping import Stopping
from uptake.intake.accept import Judged
from uptake.intake.attribute_faults import limit_faults
from uptake.intake.outcome import receipt
from uptake.model.problems import Kinds, Problem
from uptake.model.receipt import Receipt, StoredSamples
from uptake.store.definitions import Key
from uptake.store.records import Written
from uptake.wiring import Services

WRITE_SECONDS = 20.0
"""How long an upload waits to be written; less than the 30 seconds that clients commonly wait."""

ITEMS = Counter("uptake_items", "Items by what became of them", ["format", "outcome"])

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an upload.

    Attributes:
        reply: in the vendor's form.
        problem: the one it is about, if it is about one.
        duplicates: how many items changed nothing, because they were stored already.
    """

    reply: WireReply
    problem: Problem | None
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class Ingest:
    """Takes uploads in; what it needs for that.

    Attributes:
        judging: decides on the items of uploads.
        errors: where uploads that are answered with a problem get their receipts.
        outcomes: where it is heard what was written.
    """

    access: Access
    bodies: Bodies
    services: Services
    stopping: Stopping
    judging: Judging
    errors: ErrorReceipts
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(WRITE_SECONDS))

    async def take(
        self,
        form: Format,
        operation: UploadOperation,
        request: AnyRequest,
        wire: WireRequest,
        query: bytes,
    ) -> Answer:
        """The answer to an upload, in the vendor's form.

        Raises:
            ClientGone: there is nobody left to answer.
        """
        sender = Sender(operation.name, wire.request_id, wire.received_at)
        try:
            self.stopping.reject()
            key, wire = await self._admit(operation, wire, query, sender)
            limits.check_headers(wire.headers, operation.body_limit)
            with self.bodies.room(key.id, peer_of(request.scope)) as room:
                with self.services.commit.expecting():
                    bodies = [await self._read(operation, request, wire, room)]
                    judged = await self.judging.judge(
                        Upload(operation, wire, bodies, key, request.receive)
                    )
                written = await self._write(judged)
                if limit_faults(written):
                    judged = await self.judging.beyond_limits(judged, written, request.receive)
                    written = await self._write(judged)
            result = receipt(judged, written)
            _count(operation, result)
            return Answer(operation.reply(result, wire), None, result.duplicates)
        except Problem as problem:
            await self.errors.record(sender, problem)
            return Answer(form.reject(problem, wire), problem)

    async def _admit(
        self, operation: UploadOperation, wire: WireRequest, query: bytes, sender: Sender
    ) -> tuple[Key, WireRequest]:
        credential, secret = find_credential(operation, wire.headers, query)
        sender.key = await self.access.find(secret)
        key = await self.access.permit(sender.key, operation.scope)
        if operation.user_from_key and key.user is None:
            raise Problem(Kinds.FORBIDDEN, "The key is not bound to a user")
        return key, replace(wire, credential=credential, bound_user=key.user)

    async def _read(
        self, operation: UploadOperation, request: AnyRequest, wire: WireRequest, room: Room
    ) -> Body:
        body = await limits.read_body(
            request.receive, wire.headers, operation.body_limit, room=room
        )
        if operation.request_media != JSON:
            return body
        return Body(without_bom(body.content), body.fault)

    async def _write(self, judged: Judged) -> tuple[Written, ...]:
        """Have it written; what has not begun after `WRITE_SECONDS` never will."""
        try:
            return await self.outcomes.of(self.services.commit.submit(judged.entry))
        except TimeoutError:
            raise Problem(Kinds.UNAVAILABLE, "Storage takes too long") from None


def _count(operation: UploadOperation, result: Receipt) -> None:
    kept = sum(item.count if isinstance(item, StoredSamples) else 1 for item in result.kept)
    if kept:
        _items(operation.name, "accepted").inc(kept)
    if result.rejections:
        _items(operation.name, "refused").inc(len(result.rejections))


@cache
def _items(name: str, outcome: str) -> Counter:
    return ITEMS.labels(name, outcome)


def header_map(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Headers by name in lower case; of several with one name, the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
