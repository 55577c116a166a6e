"""Users found in the rejections of an earlier version, which stored whole requests under nobody."""

from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from uptake.blobs import Blobs
from uptake.intake.accept import Intake, Origin
from uptake.model.submission import Owners, rejected
from uptake.store.base import Maintenance, Projects
from uptake.store.stored import StoredRejection

AT_ONCE = 50
"""Rejections read at a time, which may have 4 MiB each where blobs were out of reach."""

FindUsers = Callable[[str, bytes, dict[str, str]], Owners]
"""Finds the users of a body by its operation's name and its context."""


class ExaminationStore(Maintenance, Projects, Protocol):
    """The ports that these rejections are read from and written to."""


def examine(store: ExaminationStore, blobs: Blobs, intake: Intake, find_users: FindUsers) -> int:
    """Store these rejections under the users that can be read in them; how many there were.

    Raises:
        StoreUnavailable, BlobsUnavailable: some are left.
    """
    examined = 0
    for project in store.projects():
        while found := store.unexamined(project, AT_ONCE):
            for kept in found:
                _examine(store, blobs, intake, find_users, project=project, kept=kept)
                examined += 1
    return examined


def _examine(  # noqa: PLR0913 - what is worked with, and on what
    store: Maintenance,
    blobs: Blobs,
    intake: Intake,
    find_users: FindUsers,
    *,
    project: str,
    kept: StoredRejection,
) -> None:
    record = kept.record
    blob = record.raw_blob
    raw = record.raw if blob is None else blobs.get(blob) or b""
    owners = find_users(record.format, raw, record.context)
    (rejection,) = rejected(list(record.faults), raw, owners).rejections
    origin = Origin(
        *(project, record.key_id, record.format, kept.request_id, kept.received_at),
        context=record.context,
    )
    records = [
        replace(one, rejection_id=record.rejection_id)
        for one in intake.rejections(rejection, origin)
    ]
    store.put_examined(project, kept, records)
    if blob is not None and blob not in {one.raw_blob for one in records}:
        blobs.delete([blob])
