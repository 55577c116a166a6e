"""Where an upload is judged: on the event loop where that is quick, else in a thread."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from litestar.types import Receive
from msgspec.structs import replace

from uptake.formats.base import JSON, UploadOperation, WireRequest
from uptake.formats.redecode import context_of
from uptake.http.access import permit_users
from uptake.http.executors import Executors, unless_gone
from uptake.http.limits import Body
from uptake.intake.accept import RAW_IN_ROW, Intake, Judged, Origin
from uptake.intake.images import UnusableImage
from uptake.intake.images.pool import ImagePool
from uptake.intake.schemas import DocumentTypes, KnownType, NotQuick
from uptake.model.items import Image
from uptake.model.problems import Kinds, Problem
from uptake.model.submission import Fault, Submission, rejected
from uptake.store.base import StoreUnavailable
from uptake.store.definitions import Key
from uptake.store.records import Written

Result = TypeVar("Result")

INLINE = RAW_IN_ROW
"""Bytes of a JSON body up to which it is judged on the event loop, in about a millisecond and
without touching a disk; a thread would cost more than it saves. Larger ones and images get one, and
so do documents whose schema may make more work than that."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A request whose body was read.

    Attributes:
        bodies: the body, alone in a list: whoever decodes it takes it out, so that it is not held
            while a blob store is waited for.
        receive: of the request; what is judged in a thread is dropped when its client goes away.
    """

    operation: UploadOperation
    wire: WireRequest
    bodies: list[Body]
    key: Key
    receive: Receive


@dataclass(frozen=True, slots=True)
class Judging:
    """Judges uploads; neither a store nor a long check is waited for on the event loop.

    Attributes:
        images: cleans images.
        types: which document types there are.
        executors: threads for look-ups, for large bodies, and for slow checks of documents.
    """

    intake: Intake
    images: ImagePool
    types: DocumentTypes
    executors: Executors
    _look_ups: "dict[tuple[str, str], asyncio.Task[KnownType | None]]" = field(default_factory=dict)

    async def judge(self, upload: Upload) -> Judged:
        """What becomes of every item of an upload.

        Raises:
            Problem: it is rejected as a whole.
            ClientGone: there is nobody left to answer.
        """
        if upload.operation.request_media != JSON:
            return await self._judge_images(upload)
        small = len(upload.bodies[0].content) <= INLINE
        if small:
            submission = _decode(upload)
        else:
            result = await self._in_thread(upload, partial(self._judge_untyped, upload))
            if isinstance(result, Judged):
                return result
            submission = result
        await self._look_up_all(upload.key.project, submission.document_types)
        quick = partial(self.intake.judge, submission, _origin(upload, submission), quick=True)
        try:
            return quick() if small else await self._in_thread(upload, quick)
        except NotQuick:
            slow = partial(self.intake.judge, submission, _origin(upload, submission))
            schemas = self.executors.schemas
            return await schemas.run(slow, upload.receive, key_id=upload.key.id, finish=True)

    def _judge_untyped(self, upload: Upload) -> Judged | Submission:
        """Judge what has no document type, which all but documents have not; else decode alone."""
        submission = _decode(upload)
        if submission.document_types:
            return submission
        return self.intake.judge(submission, _origin(upload, submission))

    async def _judge_images(self, upload: Upload) -> Judged:
        """Decode a form, clean its images, and store them; each in the threads for that."""
        submission = await self.executors.uploads.run(partial(_decode, upload), upload.receive)
        images = []
        for item in submission.items:
            if isinstance(item, Image):
                image = self.images.clean(upload.key.id, item.content)
                images.append(image)
                with suppress(UnusableImage):
                    await unless_gone(asyncio.wrap_future(image), upload.receive)
        cleaned = iter(images)
        judge = partial(
            self.intake.judge,
            submission,
            _origin(upload, submission),
            lambda _: next(cleaned).result(),
        )
        return await self._in_thread(upload, judge)

    async def beyond_limits(
        self, judged: Judged, written: Sequence[Written], receive: Receive
    ) -> Judged:
        """See `Intake.beyond_limits`; a large body is put into the blob store.

        Raises:
            Problem: storage cannot be reached.
            ClientGone: there is nobody left to answer.
        """
        work = partial(self.intake.beyond_limits, judged, written)
        return await self.executors.uploads.run(work, receive, finish=True)

    async def _in_thread(self, upload: Upload, work: "partial[Result]") -> Result:
        # Once begun it may have put bytes away, which are nobody's unless they are written.
        return await self.executors.uploads.run(work, upload.receive, finish=True)

    async def _look_up_all(self, project: str, names: Iterable[str]) -> None:
        """Have the document types of these names at hand."""
        for name in names:
            if self.types.is_fresh(project, name):
                continue
            at = project, name
            if at not in self._look_ups:
                work = partial(self.types.known, project, name)
                look_up = asyncio.create_task(self.executors.authentication.run(work))
                self._look_ups[at] = look_up
                look_up.add_done_callback(partial(self._forget, at))
            try:
                # Several requests wait for one look-up: it goes on when a client goes away.
                await asyncio.shield(self._look_ups[at])
            except StoreUnavailable as error:
                raise Problem(Kinds.UNAVAILABLE) from error

    def _forget(self, at: tuple[str, str], look_up: "asyncio.Task[KnownType | None]") -> None:
        del self._look_ups[at]
        if not look_up.cancelled():
            look_up.exception()  # looked at, as nobody else may


def _decode(upload: Upload) -> Submission:
    content, fault = upload.bodies.pop()
    if fault:
        code = "unreadable" if upload.operation.request_media != JSON else "json_invalid"
        submission = rejected([Fault(code, fault)], content)
    else:
        submission = upload.operation.decode(replace(upload.wire, body=content))
    permit_users(upload.key, submission.user_ids)
    return submission


def _origin(upload: Upload, submission: Submission) -> Origin:
    wire, key = upload.wire, upload.key
    context = context_of(wire) if submission.rejections or submission.raw else {}
    return Origin(
        key.project, key.id, upload.operation.name, wire.request_id, wire.received_at, context
    )
