"""The one handler for every upload of every format."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from litestar.connection import Request
from msgspec.structs import replace
from prometheus_client import Counter

from uptake.formats.again import context_of
from uptake.formats.base import Endpoint, Format, WireReply, WireRequest
from uptake.http import limits
from uptake.http.access import Access, find_credential, permit_users
from uptake.http.limits import Bodies
from uptake.intake.accept import RAW_IN_ROW, Intake, Judged, Origin, receipt
from uptake.intake.commit import GroupCommit
from uptake.model.problems import Kinds, Problem
from uptake.model.receipt import KeptSamples, Receipt
from uptake.store.records import Key

INLINE = RAW_IN_ROW
"""Bytes of a JSON body up to which it is judged on the event loop, in about a millisecond and
without touching a disk; a thread would cost more than it saves. Larger ones and images get one."""

ITEMS = Counter("uptake_items", "Items by what became of them", ["format", "outcome"])

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Ingest:
    """Takes uploads in; what it needs for that."""

    access: Access
    bodies: Bodies
    intake: Intake
    commit: GroupCommit

    async def take(
        self, form: Format, endpoint: Endpoint, request: AnyRequest, wire: WireRequest, query: bytes
    ) -> tuple[WireReply, Problem | None]:
        """The answer to an upload, in the vendor's form, and the problem it tells, if any.

        Raises:
            ClientGone: there is nobody left to answer.
        """
        try:
            key, wire = await self._admit(endpoint, wire, query)
            size = limits.expected_size(wire.headers, endpoint.body_limit)
            with self.bodies.room(size):
                with self.commit.expecting():
                    body = await limits.read_body(
                        request.receive, wire.headers, endpoint.body_limit
                    )
                    wire = replace(wire, body=body)
                    judged = await self._judge(endpoint, wire, key)
                written = await asyncio.wrap_future(self.commit.submit(judged.entry))
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

    async def _judge(self, endpoint: Endpoint, wire: WireRequest, key: Key) -> Judged:
        if endpoint.request_type is not None and len(wire.body) <= INLINE:
            return self._judge_now(endpoint, wire, key)
        return await asyncio.to_thread(self._judge_now, endpoint, wire, key)

    def _judge_now(self, endpoint: Endpoint, wire: WireRequest, key: Key) -> Judged:
        submission = endpoint.decode(wire)
        permit_users(key, submission.user_ids)
        context = context_of(wire) if submission.refusals else {}
        origin = Origin(
            key.project, key.id, endpoint.name, wire.request_id, wire.received_at, context
        )
        return self.intake.judge(submission, origin)


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
