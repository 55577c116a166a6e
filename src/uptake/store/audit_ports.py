"""The port of the audit log, and its entries."""

import hashlib
from typing import Any, Protocol

import msgspec
from msgspec import Struct

FIRST_HASH = "0" * 64
"""What the first entry has as the hash of the one before."""


class AuditEntry(Struct, frozen=True):
    """An entry of the audit log.

    Attributes:
        sequence: its number; the first is 1.
        moment: of the act: microseconds since the epoch.
        project: of what was changed or exported; "" for all projects.
        actor, address: see `uptake.model.acting.Act`.
        action: what was done.
        target: to what, by its id or name; a user by `ids.user_hash`.
        details: JSON text.
        previous: the hash of the entry before.
        hash: of this entry.
    """

    sequence: int
    moment: int
    project: str
    actor: str
    address: str
    action: str
    target: str
    details: str
    previous: str
    hash: str = ""

    def computed_hash(self) -> str:
        """Return the hexadecimal SHA-256 of the other members, as a JSON array in their order."""
        members = msgspec.structs.astuple(self)[:-1]
        return hashlib.sha256(msgspec.json.encode(members)).hexdigest()


class AuditFilter(Struct, frozen=True):
    """Which entries to select; None selects all."""

    project: str | None = None
    actor: str | None = None
    action: str | None = None
    start: int | None = None
    end: int | None = None


class AuditHead(Struct, frozen=True):
    """The number and the hash of the last entry, in a table of their own."""

    sequence: int
    hash: str


class AuditLog(Protocol):
    """The audit log. Changes by an actor append their entries themselves."""

    def record_act(self, project: str, action: str, target: str = "", **details: Any) -> None:
        """Append an entry about an act that changes nothing, if the thread has an actor."""

    def audit_entries(self, only: AuditFilter, before: int, limit: int) -> list[AuditEntry]:
        """Return the latest entries with a number below `before`, the latest first."""

    def audit_chain(self, after: int, limit: int) -> list[AuditEntry]:
        """Return the first entries with a number above `after`, in order."""

    def audit_head(self) -> AuditHead:
        """Return the head; with the number 0 and `FIRST_HASH` if nothing was recorded."""
