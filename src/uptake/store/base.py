"""The ports of a store: small protocols by role, and the whole of them.

Most ports have callers in intake and in reading, which do not import each other. A store has no
policy: intake has validated what it writes. `uptake.testing.store` has a suite for each port.

Every method may raise `StoreUnavailable`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from uptake.model.ids import Secrets
from uptake.samples.metrics import Metric
from uptake.store.audit_ports import AuditLog
from uptake.store.console_ports import ConsoleTokens
from uptake.store.definitions import DocumentType, RetentionRule, Segment, TypeVersion
from uptake.store.deletion_ports import Deletions
from uptake.store.image_ports import NumberedImages
from uptake.store.operator_ports import Issuers, MaintenanceMode, Registration
from uptake.store.project_ports import Keys, ManagedKeys, Projects
from uptake.store.records import Entry, RejectionRecord
from uptake.store.rejection_ports import RejectionSummaries
from uptake.store.relay_ports import Outbox, OutboxUpkeep, RelayLeases, Relays
from uptake.store.request_count_ports import RequestCounts
from uptake.store.request_ports import RequestQueries
from uptake.store.snapshot_ports import Snapshots
from uptake.store.stored import (
    ALL_REJECTIONS,
    Changes,
    Committed,
    DocumentFilter,
    Erasure,
    Expired,
    Folded,
    ProfilePages,
    Profiles,
    RejectionFilter,
    SeenUser,
    Span,
    StoredBatch,
    StoredDocument,
    StoredImage,
    StoredReceipt,
    StoredRejection,
    User,
    VersionStock,
)
from uptake.store.webhook_ports import FailedEvents, SegmentWatches, Webhooks

MAX_RECEIPTS = 20
"""Receipts returned for one request id, which is unique unless a client repeats its own."""


class StoreUnavailable(Exception):
    """The store cannot be reached or written; nothing of the call is stored. Retry."""


class IncompleteWrite(StoreUnavailable):
    """The database reports fewer rows written than were sent; nothing of the call is acknowledged.

    Causes are a trigger, a rule, or a distributed table where the statement reached no shard.
    """


class StoreUnusable(Exception):
    """The store cannot be opened: of a newer version, not writable, not a database."""


class NoDatabase(StoreUnusable):
    """There is no database, or it has no tables of Uptake."""


class AlreadyExists(Exception):
    """The name is taken."""


class Commits(Protocol):
    """Writes what intake accepted and rejected."""

    def commit(self, entries: Sequence[Entry]) -> list[Committed]:
        """Write entries in one transaction, in this order; durable when it returns.

        The first record about a user creates the user. A document is not written if its upload id
        is taken; if the digest differs, its `otherwise` is stored instead. An image with the upload
        digest of another image of the user is that image. A batch with the digest of another batch
        of the same user and metric is that batch, received again. Attributes replace stored values
        one by one. Each entry stores its receipt, and marks the rejection that it resolves with its
        request.

        Returns:
            For each entry, the outcome of each of its records, and its receipt.
        """

    def rehearse(self, entry: Entry) -> Committed:
        """Return what `commit` would return for this entry alone, and store nothing."""

    def parts(self, entries: Sequence[Entry]) -> list[Sequence[int]]:
        """Divide entries into those that are best committed together: by their numbers, in order.

        On a distributed database those of each node are a part. Parts may be committed in any
        order, also at the same time, and fail independently.
        """


class ItemQueries(Protocol):
    """Reads the items of users."""

    def user(self, project: str, user_id: str) -> User | None:
        """Return a user, or None if there are no data of that user."""

    def has_user(self, project: str, user_id: str) -> bool:
        """Return whether there are data of a user."""

    def document(self, project: str, upload_id: str) -> StoredDocument | None:
        """Return the document with this upload id."""

    def documents(
        self, project: str, user_id: str, only: DocumentFilter, after: str, limit: int
    ) -> list[StoredDocument]:
        """Return a user's documents with an id above `after`, in order of id."""

    def images(self, project: str, user_id: str, after: int, limit: int) -> list[StoredImage]:
        """Return a user's images with a number above `after`, in order of number."""

    def image(self, name: str) -> StoredImage | None:
        """Return the image with this name, of any project."""


class BatchQueries(Protocol):
    """Reads the batches of samples of users; each may be a block of several."""

    def spans(
        self, project: str, user_id: str, metric: Metric | None = None, limit: int | None = None
    ) -> list[Span]:
        """Return the user's first `limit` batches and blocks, by metric and first sample."""

    def batches(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> list[StoredBatch]:
        """Return the batches and blocks that may have samples starting in [start, end]."""

    def overlapping_batches(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> list[StoredBatch]:
        """Return those that may have samples starting at `end` or before, ending since `start`."""


class RejectionQueries(Protocol):
    """Reads rejections and receipts."""

    def rejections(
        self, project: str, after: str, limit: int, only: RejectionFilter = ALL_REJECTIONS
    ) -> list[StoredRejection]:
        """Return a project's rejections with an id above `after`, ordered by id and so by time."""

    def rejection(self, project: str, rejection_id: str) -> StoredRejection | None:
        """Return the rejection with this id."""

    def receipts(self, project: str, request_id: str) -> list[StoredReceipt]:
        """Return the latest `MAX_RECEIPTS` receipts of requests with this id, oldest first."""


class UserQueries(Protocol):
    """Reads about many users at once."""

    def users(self, project: str, prefix: str, after: str, limit: int) -> list[SeenUser]:
        """Return the first users with an id above `after` that starts with `prefix`, in order."""

    def profiles(self, project: str, after: str, limit: int, *, seen: bool) -> ProfilePages:
        """Iterate over users above `after`, `limit` at a time; with the moments if `seen`."""

    def profiles_of(self, project: str, user_ids: Sequence[str]) -> list[Profiles]:
        """Return those of these users that exist, in any order."""

    def document_counts(
        self, project: str, document_type: str, since: int, user_ids: Sequence[str] | None
    ) -> dict[str, int]:
        """Return the number of documents of a type for each user who has any.

        Args:
            project: the project of the documents.
            document_type: their type.
            since: the moment from which they were received.
            user_ids: the users to count for; None for all.
        """

    def users_with_samples(self, project: str, metric: Metric) -> list[str]:
        """Return the users who have samples of a metric, each once."""


class ChangeFeed(Protocol):
    """Reads which users have changed."""

    def changes(self, project: str, since: int | None) -> Changes | None:
        """Return the changes since an earlier result's `next`; no changes if `since` is None.

        Whatever was committed before the call is in this result or an earlier one. A change may
        be returned more than once. Returns None if the log does not reach back to `since`.
        """

    def user_hash(self, user_id: str) -> str:
        """Return `ids.user_hash` with the installation's secret."""


class Erasures(Protocol):
    """Erases users."""

    def erase(self, project: str, user_id: str, erasure_id: str, moment: int) -> Erasure:
        """Delete all data of a user in one transaction, and set the user's tombstone.

        From then on `commit` stores nothing about the user: it returns `Erased` for the user's
        records, and omits the user's rejections. A receipt of a request about several users stays;
        it names none. API keys bound to the user are deleted.
        """

    def finish_erasure(self, project: str, erasure_id: str, moment: int) -> None:
        """Record that the blob store has nothing of the user any more."""

    def erasure(self, project: str, erasure_id: str) -> Erasure | None:
        """Return the erasure with this id."""

    def erasures(self, project: str, after: str, limit: int) -> list[Erasure]:
        """Return a project's erasures with an id above `after`, ordered by id and so by time."""

    def unfinished_erasures(self) -> list[tuple[str, Erasure]]:
        """Return the unfinished erasures of all projects, each with its project."""

    def readmit(self, project: str, user_id: str) -> bool:
        """Delete a user's tombstone; False if there is none."""

    def scrub(self, *, thorough: bool) -> None:
        """Remove traces of deleted rows from the store's files.

        What concurrent readers protect is removed by a later call.

        Args:
            thorough: whether the call may take a second; it is repeated in the background.
        """


class Retention(Protocol):
    """Deletes data of a certain age."""

    def put_retention(self, project: str, rules: Sequence[RetentionRule]) -> None:
        """Replace the rules of a project."""

    def retention(self, project: str) -> list[RetentionRule]:
        """Return the rules of a project, sorted by kind and type."""

    def count_expired(self, project: str, rule: RetentionRule, before: int) -> int:
        """Count the data that a rule applies to and that was received before a moment."""

    def expire(
        self, project: str, rule: RetentionRule, before: int, after: tuple[Any, ...], limit: int
    ) -> Expired:
        """Delete a page of that data, from the end of the page before; the first from ()."""

    def expired_blobs(
        self, project: str, rule: RetentionRule, before: int, after: tuple[Any, ...], limit: int
    ) -> tuple[str, ...]:
        """Return the blobs that no rows refer to except those of the page."""


class Folding(Protocol):
    """Folds small batches into blocks. What is read does not change."""

    def fold(self, project: str, least: int, until: Callable[[], bool]) -> Folded:
        """Fold the small batches of users and metrics that have at least `least` of them.

        Each is folded in a transaction of its own. The next call continues where this one ends.

        Args:
            project: of the batches; those that came since the call before are examined.
            least: number of small batches of a user and metric.
            until: whether to end early; asked between users.
        """


class DocumentTypeRegistry(Protocol):
    """Document types and their versions."""

    def add_type_version(
        self, project: str, name: str, version: TypeVersion
    ) -> DocumentType | None:
        """Store the next version of a type and make it current; None if that version exists.

        Version `FIRST_VERSION` registers the type, which has the `created_at` of that version.
        """

    def document_type(self, project: str, name: str) -> DocumentType | None:
        """Return a registered document type."""

    def document_types(
        self, project: str, after: str = "", limit: int | None = None
    ) -> list[DocumentType]:
        """Return the document types of a project with a name above `after`, in order of name."""

    def type_versions(self, project: str, name: str, after: int, limit: int) -> list[TypeVersion]:
        """Return the versions of a type with a number above `after`, in order."""

    def document_versions(self, project: str, document_type: str) -> list[VersionStock]:
        """Count a type's documents by the version that validated them, in order of version."""


class SegmentRegistry(Protocol):
    """Segments by name."""

    def put_segment(self, project: str, segment: Segment) -> Segment:
        """Store a segment, or a new filter of a stored one; `created_at` does not change."""

    def segment(self, project: str, name: str) -> Segment | None:
        """Return the segment with this name."""

    def segments(self, project: str, after: str, limit: int) -> list[Segment]:
        """Return a project's segments with a name above `after`, in order of name."""

    def delete_segment(self, project: str, name: str) -> bool:
        """Delete a segment; False if there is none with this name."""


class Maintenance(Protocol):
    """Work between requests, and data of earlier versions."""

    def claim(self, name: str, now: int, until: int) -> bool:
        """Claim a task until a moment; False while another process has claimed it."""

    def fold_receipts(self, project: str, now: int) -> int:
        """Fold receipts, if any are due; returns their number. They expire by days (UTC)."""

    def unexamined_rejections(self, project: str, limit: int) -> list[StoredRejection]:
        """Return rejections of an earlier version without extracted users."""

    def replace_unexamined(
        self, project: str, rejection: StoredRejection, records: Sequence[RejectionRecord]
    ) -> None:
        """Replace such a rejection by these records, without those of erased users."""


class Installation(Protocol):
    """The installation as a whole."""

    def secrets(self) -> Secrets:
        """Return the secrets of the installation, created with the store and never changed."""

    def ping(self) -> None:
        """Raise unless the store can be read."""

    def close(self) -> None:
        """Close files and connections."""


class Store(
    Commits,
    ItemQueries,
    NumberedImages,
    BatchQueries,
    RejectionQueries,
    RequestQueries,
    RequestCounts,
    UserQueries,
    ChangeFeed,
    Snapshots,
    Erasures,
    Deletions,
    Retention,
    Folding,
    Projects,
    Keys,
    ManagedKeys,
    DocumentTypeRegistry,
    SegmentRegistry,
    RejectionSummaries,
    ConsoleTokens,
    Maintenance,
    MaintenanceMode,
    Registration,
    Issuers,
    Relays,
    RelayLeases,
    Outbox,
    OutboxUpkeep,
    Webhooks,
    FailedEvents,
    SegmentWatches,
    AuditLog,
    Installation,
    Protocol,
):
    """All ports."""
