"""The port: what intake, reading and the edge ask of a store.

A store decides nothing: whether an item is acceptable has been judged before. Its behaviour is
defined by `uptake.testing.store`, which every back end passes whole.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from uptake.model.ids import Secrets
from uptake.model.items import Metric
from uptake.store.definitions import DocumentType, Key, Rate, RetentionRule, Segment, TypeVersion
from uptake.store.records import Entry, RejectionRecord, Written
from uptake.store.snapshot import Snapshot
from uptake.store.stored import (
    Changes,
    Erasure,
    Expired,
    Profiles,
    RejectionFilter,
    Span,
    StoredDocument,
    StoredImage,
    StoredReceipt,
    StoredRejection,
    User,
    VersionStock,
)

DEFAULT_PROJECT = "default"
"""The project that always exists."""

FIRST_IMAGE_ID = 1_000_001
"""Number of the first image of a project. Stored numbers depend on it, so it cannot change."""


ALL_REJECTIONS = RejectionFilter()

MAX_RECEIPTS = 20
"""Receipts returned for one request id. Ids are unique unless a client repeats its own, and each
receipt may list a thousand rejected items."""


class StoreUnavailable(Exception):
    """The store cannot be reached or written now; nothing of the call was kept. Try again."""


class IncompleteWrite(StoreUnavailable):
    """The database reports fewer rows written than were sent; nothing of the call is acknowledged.

    A trigger, a rule, or a distributed table whose statement reached no shard does this.
    """


class StoreUnusable(Exception):
    """The store cannot be opened: of a newer version, not writable, not a database."""


class AlreadyExists(Exception):
    """The name is taken."""


class Items(Protocol):
    """What users' data needs of a store. Every method may raise `StoreUnavailable`."""

    def commit(self, entries: Sequence[Entry]) -> list[tuple[Written, ...]]:
        """Write entries in one transaction, in this order; durable when it returns.

        A user exists from the first record about it. A document whose upload id is taken is not
        written again; where the digest differs, its `otherwise` is kept instead. An image with the
        upload digest of one of the same user is that image. A batch with the digest of one of the
        same user and metric is that batch, received again.
        Attributes are set one by one over what is there. Every entry leaves its receipt; the
        rejection that it resolves is marked with the entry's request.

        Returns:
            For each entry, for each record, what stands there now.
        """
        ...

    def user(self, project: str, user_id: str) -> User | None:
        """A user, or None when nothing was ever kept about it."""
        ...

    def spans(self, project: str, user_id: str, limit: int | None = None) -> list[Span]:
        """The batches of a user, in order of metric and first sample; the first `limit` of them."""
        ...

    def batches(
        self, project: str, user_id: str, metric: Metric, start: int, end: int
    ) -> list[bytes]:
        """Columns of the batches with samples that may start in [start, end], as received."""
        ...

    def document(self, project: str, upload_id: str) -> StoredDocument | None:
        """The document that was given this id."""
        ...

    def images(self, project: str, user_id: str, after: int, limit: int) -> list[StoredImage]:
        """A user's images with a number above `after`, in order of number."""
        ...

    def image(self, name: str) -> StoredImage | None:
        """The image with this name, of any project."""
        ...

    def rejections(
        self, project: str, after: str, limit: int, only: RejectionFilter = ALL_REJECTIONS
    ) -> list[StoredRejection]:
        """A project's rejections with an id above `after`, ordered by id, that is, by time."""
        ...

    def profiles(self, project: str, after: str, limit: int) -> list[Profiles]:
        """The first users, at most `limit`, with an id above `after`; none when that was the last.

        Ids are in order of code points.
        """
        ...

    def profiles_of(self, project: str, user_ids: Sequence[str]) -> list[Profiles]:
        """Those of these users that there are, in any order."""
        ...

    def document_counts(
        self, project: str, document_type: str, since: int, user_ids: Sequence[str] | None
    ) -> dict[str, int]:
        """How many documents of a type there are of each user, if any, received from then on.

        Args:
            project: whose documents.
            document_type: which of them.
            since: a moment.
            user_ids: about whom it is asked; None for everybody.
        """
        ...

    def document_versions(self, project: str, document_type: str) -> list[VersionStock]:
        """What is kept of a type's documents, for each version that judged any, in their order."""
        ...

    def sampled(self, project: str, metric: Metric) -> list[str]:
        """The users who have samples of a metric, each once."""
        ...

    def changes(self, project: str, since: int | None) -> Changes | None:
        """Whom something was kept about since an earlier answer's `next`; None for none yet.

        Whatever was committed before the call is told in this answer or was in one before it. What
        was told may be told again. A log that has been forgotten that far back is no answer: None.
        """
        ...

    def snapshot(self, project: str) -> AbstractContextManager[Snapshot]:
        """A project as it is now, for as long as the block runs.

        Reading from it may raise `StoreUnavailable`, also where the block ends.
        """
        ...

    def unexamined(self, project: str, limit: int) -> list[StoredRejection]:
        """Rejections of an earlier version, whose users have not been looked for."""
        ...

    def put_examined(
        self, project: str, kept: StoredRejection, records: Sequence[RejectionRecord]
    ) -> None:
        """Store such a rejection under the users that were found, those erased left out."""
        ...

    def rejection(self, project: str, rejection_id: str) -> StoredRejection | None:
        """The rejection with this id."""
        ...

    def erase(self, project: str, user_id: str, erasure_id: str, moment: int) -> Erasure:
        """Take everything about a user away in one transaction, and set its tombstone.

        From then on `commit` keeps nothing about the user: it tells `Erased` of its records, and
        leaves out its rejections. A receipt of several users' request stays; it names none.
        Keys that are bound to the user go as well.
        """
        ...

    def scrub(self, *, thorough: bool) -> None:
        """Remove what deleted rows may have left in the store's files.

        What readers keep from being removed now is removed by a later call.

        Args:
            thorough: whether it may take a second; called again and again, beside the requests.
        """
        ...

    def user_hash(self, user_id: str) -> str:
        """`ids.user_hash` with the installation's key."""
        ...

    def finish_erasure(self, project: str, erasure_id: str, moment: int) -> None:
        """Note that nothing of the user is left in the blob store."""
        ...

    def erasure(self, project: str, erasure_id: str) -> Erasure | None:
        """What was erased under this id."""
        ...

    def erasures(self, project: str, after: str, limit: int) -> list[Erasure]:
        """A project's erasures with an id above `after`, in order of id, which is that of time."""
        ...

    def unfinished_erasures(self) -> list[tuple[str, Erasure]]:
        """Those of all projects that left bytes in the blob store, with their project."""
        ...

    def expired(self, project: str, rule: RetentionRule, before: int) -> int:
        """How much a rule would take away of what was received before this moment."""
        ...

    def expire(
        self, project: str, rule: RetentionRule, before: int, after: tuple[Any, ...], limit: int
    ) -> Expired:
        """Take a page of that away, from where the page before ended; from () at first."""
        ...

    def readmit(self, project: str, user_id: str) -> bool:
        """Take a user's tombstone away; False when there is none."""
        ...

    def receipts(self, project: str, request_id: str) -> list[StoredReceipt]:
        """The latest receipts of requests with this id, at most `MAX_RECEIPTS`, oldest first."""
        ...


class Registry(Protocol):
    """What running a server needs of a store. Every method may raise `StoreUnavailable`."""

    def secrets(self) -> Secrets:
        """The secrets of the installation: made with the store, and the same for its lifetime."""
        ...

    def add_project(self, name: str, created_at: int) -> None:
        """Make a project.

        Raises:
            AlreadyExists: there is one of that name.
        """
        ...

    def projects(self) -> list[str]:
        """The names of all projects, sorted."""
        ...

    def add_key(self, key: Key) -> None:
        """Keep a key; its project exists."""
        ...

    def key(self, digest: str) -> Key | None:
        """The key with this digest."""
        ...

    def keys(self) -> list[Key]:
        """All keys, in order of creation."""
        ...

    def revoke_key(self, key_id: str, moment: int) -> bool:
        """Mark a key as revoked from this moment on; False when there is none of that id."""
        ...

    def put_type(self, project: str, document_type: DocumentType) -> DocumentType:
        """Register a document type, or give a registered one another schema; what stands now.

        A schema that is not, letter by letter, the current one is the next version, of the
        `created_at` it is given with. That of a registered type stays.
        """
        ...

    def document_type(self, project: str, name: str) -> DocumentType | None:
        """A registered document type."""
        ...

    def type_versions(self, project: str, name: str, after: int, limit: int) -> list[TypeVersion]:
        """The versions of a type with a number above `after`, in order."""
        ...

    def document_types(
        self, project: str, after: str = "", limit: int | None = None
    ) -> list[DocumentType]:
        """The document types of a project with a name above `after`, in order of name."""
        ...

    def put_segment(self, project: str, segment: Segment) -> Segment:
        """Keep a segment, or give a kept one another filter; what stands now.

        Of a kept one, `created_at` stays.
        """
        ...

    def segment(self, project: str, name: str) -> Segment | None:
        """The segment of this name."""
        ...

    def segments(self, project: str, after: str, limit: int) -> list[Segment]:
        """A project's segments with a name above `after`, in order of name."""
        ...

    def delete_segment(self, project: str, name: str) -> bool:
        """Forget a segment; False when there is none of that name."""
        ...

    def spend(self, key_id: str, rate: Rate, moment: int) -> int:
        """Count a use of a key in the window of this moment; how many there are with it."""
        ...

    def put_retention(self, project: str, rules: Sequence[RetentionRule]) -> None:
        """Have these rules hold in a project, in place of those before."""
        ...

    def retention(self, project: str) -> list[RetentionRule]:
        """The rules of a project, sorted by kind and type."""
        ...

    def claim(self, name: str, now: int, until: int) -> bool:
        """Take a piece of work for oneself until a moment; False when another has it now."""
        ...

    def ping(self) -> None:
        """Prove that the store can be read."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class Store(Items, Registry, Protocol):
    """A whole store."""
