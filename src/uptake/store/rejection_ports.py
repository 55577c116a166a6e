"""The port that reads the faults of many rejections; see `store.base`."""

from typing import Protocol

from msgspec import Struct

from uptake.model.submission import Fault
from uptake.store.stored import RejectionFilter

MAX_SUMMARY_BYTES = 16 << 20
"""Bytes of faults that are read for one list: a rejection may have thousands of faults."""


class RejectionSummary(Struct, frozen=True, gc=False):
    """A rejection, or the part of it that is about one user, without the item."""

    rejection_id: str
    format: str
    faults: tuple[Fault, ...]
    received_at: int
    is_resolved: bool


class RejectionSummaries(Protocol):
    """Reads what is wrong with many rejections at once."""

    def rejection_summaries(
        self, project: str, only: RejectionFilter, limit: int
    ) -> list[RejectionSummary]:
        """Return a project's latest rejections, at most `limit` rows, the newest first.

        The list ends early when the faults exceed `MAX_SUMMARY_BYTES`.
        """
