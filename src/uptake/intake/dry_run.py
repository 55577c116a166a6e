"""A schema tried on the documents that are kept, before it is given to their type."""

from time import monotonic
from typing import Annotated

import msgspec

from uptake.intake.schemas import Check
from uptake.model import cancellation
from uptake.model.submission import Fault
from uptake.store.base import Snapshots
from uptake.store.snapshot import EVERYTHING
from uptake.store.stored import StoredDocument

EXAMPLES = 10
"""Documents shown of those that would fail."""

REASONS = 10
"""Reasons shown of a document."""

REASON_CHARACTERS = 300
"""Shown of a reason, which quotes what it is about: that may be a whole document."""

Place = Annotated[tuple[str, str], "the user and the id of a document, where a trial goes on after"]
START: Place = ("", "")


class Reason(msgspec.Struct, frozen=True):
    """Why a document would be rejected: `path` is a JSON Pointer (RFC 6901) into its data."""

    path: str
    reason: str


class Example(msgspec.Struct, frozen=True):
    """A document that would be rejected; `version` is the one that has accepted it."""

    upload_id: str
    user_id: str
    version: int
    reasons: list[Reason]


class Trial(msgspec.Struct, frozen=True):
    """What came of trying a schema.

    Attributes:
        documents: how many were judged.
        failing: how many of them would be rejected.
        examples: the first of those.
        next: where to go on; None when all documents were judged.
    """

    documents: int
    failing: int
    examples: list[Example]
    next: Place | None


def try_schema(  # noqa: PLR0913, PLR0917 - what is tried, on what, from where and how long
    store: Snapshots, project: str, name: str, check: Check, after: Place, seconds: float
) -> Trial:
    """Judge the documents of a type by another schema, one after the other; nothing is changed.

    Args:
        store: where the documents are.
        project: whose they are.
        name: of their type.
        check: the schema, compiled.
        after: where an earlier trial stopped, or `START`.
        seconds: after which to stop. At least one document is judged, if there is one.

    Raises:
        StoreUnavailable: as of the store.
    """
    until = monotonic() + seconds
    documents = failing = 0
    examples: list[Example] = []
    with store.snapshot(project) as snapshot:
        for kept in snapshot.documents(name, EVERYTHING, after):
            cancellation.check()
            documents += 1
            if faults := check(kept.data):
                failing += 1
                if len(examples) < EXAMPLES:
                    examples.append(_example(kept, faults))
            if monotonic() > until:
                return Trial(documents, failing, examples, (kept.user_id, kept.upload_id))
    return Trial(documents, failing, examples, None)


def _example(kept: StoredDocument, faults: list[Fault]) -> Example:
    reasons = [_reason(fault) for fault in faults[:REASONS]]
    return Example(kept.upload_id, kept.user_id, kept.version, reasons)


def _reason(fault: Fault) -> Reason:
    # The place begins with the member of an upload that carries the data.
    within = Fault(fault.code, fault.message, fault.place[1:])
    message = fault.message
    if len(message) > REASON_CHARACTERS:
        message = message[: REASON_CHARACTERS - 3] + "..."
    return Reason(within.pointer.removeprefix("#"), message)
