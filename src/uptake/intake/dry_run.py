"""Validates stored documents against a new schema, before the schema is registered."""

from dataclasses import dataclass
from time import monotonic
from typing import Annotated

import msgspec

from uptake.intake.schemas import Check
from uptake.model import cancellation
from uptake.model.submission import Fault
from uptake.store.snapshot_ports import Snapshots
from uptake.store.stored import EVERYTHING, StoredDocument

EXAMPLES = 10
"""Failing documents that are returned."""

REASONS = 10
"""Reasons that are returned for a document."""

REASON_CHARACTERS = 300
"""Characters of a reason, which may quote a value as large as a document."""

Place = Annotated[tuple[str, str], "the user and the id of the document after which to continue"]
START: Place = ("", "")


class Reason(msgspec.Struct, frozen=True):
    """Why a document would be rejected: `path` is a JSON Pointer (RFC 6901) into its data."""

    path: str
    reason: str


class Example(msgspec.Struct, frozen=True):
    """A document that would be rejected; `version` is the type version that accepted it."""

    upload_id: str
    user_id: str
    version: int
    reasons: list[Reason]


class Trial(msgspec.Struct, frozen=True):
    """The result of a dry run.

    Attributes:
        documents: number of documents that were validated.
        failing: number of them that the schema rejects.
        examples: the first of the rejected documents.
        next: where to continue; None after the last document.
    """

    documents: int
    failing: int
    examples: list[Example]
    next: Place | None


@dataclass(frozen=True, slots=True)
class SchemaTrial:
    """A schema to try on the stored documents of a type; nothing is changed.

    Attributes:
        store: has the documents.
        project, name: their project and their type.
        check: the compiled schema.
    """

    store: Snapshots
    project: str
    name: str
    check: Check

    def run(self, after: Place, seconds: float) -> Trial:
        """Validate the documents after a place.

        Args:
            after: `next` of the preceding part, or `START`.
            seconds: after which to stop. At least one document is validated, if there is one.

        Raises:
            StoreUnavailable: as of the store.
        """
        until = monotonic() + seconds
        documents = failing = 0
        examples: list[Example] = []
        with self.store.snapshot(self.project) as snapshot:
            for document in snapshot.documents(self.name, EVERYTHING, after):
                cancellation.check()
                documents += 1
                if faults := self.check(document.data):
                    failing += 1
                    if len(examples) < EXAMPLES:
                        examples.append(_example(document, faults))
                if monotonic() > until:
                    place = document.user_id, document.upload_id
                    return Trial(documents, failing, examples, place)
        return Trial(documents, failing, examples, None)


def _example(document: StoredDocument, faults: list[Fault]) -> Example:
    reasons = [_reason(fault) for fault in faults[:REASONS]]
    return Example(document.upload_id, document.user_id, document.version, reasons)


def _reason(fault: Fault) -> Reason:
    # The place starts at the upload, of which the data is a member.
    within = Fault(fault.code, fault.message, fault.place[1:])
    message = fault.message
    if len(message) > REASON_CHARACTERS:
        message = message[: REASON_CHARACTERS - 3] + "..."
    return Reason(within.pointer.removeprefix("#"), message)
