"""The audit log: who changed or exported what, and whether the entries are intact."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Struct

from uptake.model import clock
from uptake.reading import Page
from uptake.reading.bounds import Listing
from uptake.store.audit_ports import (
    FIRST_HASH,
    AuditEntry,
    AuditFilter,
    AuditHead,
    AuditLog,
)
from uptake.store.base import ChangeFeed

AT_ONCE = 1000
"""Entries that are read at a time: less than a megabyte."""

LAST = (1 << 63) - 1
"""Above the number of every entry: the column has 64 bits."""

MAX_FAULTS = 20
"""Faults that a check lists, as many as a person reads."""

Number = Annotated[int, msgspec.Meta(ge=1, le=LAST)]


class AuditView(Struct, frozen=True):
    """An entry of the audit log.

    Attributes:
        sequence: its number; the first is 1.
        time: RFC 3339.
        project: of what was changed or exported; null for all projects.
        actor: id of the API key; `cli` for commands on the server's machine; id of a session of
            the console.
        address: IP address of the client or a proxy; null for commands.
        action: what was done, such as `key.create`.
        target: to what, by its id or name; a user by the hash that receipts of erasures have.
        details: more about the action.
        previous: the hash of the entry before.
        hash: of this entry.
    """

    sequence: int
    time: str
    project: str | None
    actor: str
    address: str | None
    action: str
    target: str | None
    details: dict[str, Any]
    previous: str
    hash: str


class AuditPage(Struct, frozen=True):
    """Entries, the latest first."""

    entries: list[AuditView]
    next: str | None


class AuditCheck(Struct, frozen=True):
    """The result of a check of the audit log.

    Attributes:
        entries: number of entries that were read.
        head: number and hash of the last entry, `NUMBER:HASH`.
        faults: what was changed or is missing.
    """

    entries: int
    head: str
    faults: list[str]


def page(store: AuditLog, only: AuditFilter, page: Page) -> AuditPage:
    """Return a page of entries.

    Raises:
        BadCursor: this server did not issue the cursor.
    """
    listing = Listing(
        fetch=partial(store.audit_entries, only),
        key=lambda entry: entry.sequence,
        cursor_type=Number,
        start=LAST,
    )
    found, following = listing.page(page)
    return AuditPage([view(entry) for entry in found], following)


def view(entry: AuditEntry) -> AuditView:
    """Return an entry as the API and the command line show it."""
    return AuditView(
        entry.sequence,
        clock.iso(entry.moment),
        entry.project or None,
        entry.actor,
        entry.address or None,
        entry.action,
        entry.target or None,
        msgspec.json.decode(entry.details, type=dict[str, Any]),
        entry.previous,
        entry.hash,
    )


class AuditedUsers(AuditLog, ChangeFeed, Protocol):
    """The ports that record what is exported about users."""


def record_export(
    store: AuditedUsers, project: str, user_id: str | None, selected: Mapping[str, Any]
) -> None:
    """Record an export, before its first byte is sent.

    Args:
        store: of the data.
        project: of the data.
        user_id: the only user of the data, who is recorded by a hash; None for all.
        selected: what else is recorded; values that are None are left out.
    """
    target = "" if user_id is None else store.user_hash(user_id)
    details = {name: value for name, value in selected.items() if value is not None}
    store.record_act(project, "export", target, **details)


def check(store: AuditLog, noted: AuditHead | None = None) -> AuditCheck:
    """Check that no entry up to the head was changed or removed.

    Args:
        store: of the log.
        noted: the head of an earlier check, which the log must still contain.
    """
    head = store.audit_head()
    faults: list[str] = []
    last = AuditHead(0, FIRST_HASH)
    count = 0
    noted_found = noted is None or noted == last
    for entry in _entries(store, head.sequence):
        count += 1
        noted_found = noted_found or noted == AuditHead(entry.sequence, entry.hash)
        faults += _faults(last, entry)
        last = AuditHead(entry.sequence, entry.hash)
    # Those that were appended in between have moved the head.
    if store.audit_chain(head.sequence, 1) and store.audit_head() == head:
        faults.append(f"there are entries after {head.sequence}, the number of the head")
    if last.sequence < head.sequence:
        faults.append(f"{_named(last.sequence + 1, head.sequence)} missing at the end")
    elif last.hash != head.hash:
        faults.append(f"entry {last.sequence} does not have the hash of the head")
    if noted is not None and not noted_found:
        faults.append(f"the log has no entry {noted.sequence} with the hash of --head")
    if len(faults) > MAX_FAULTS:
        faults[MAX_FAULTS:] = [f"and {len(faults) - MAX_FAULTS} more faults"]
    return AuditCheck(count, f"{head.sequence}:{head.hash}", faults)


def _entries(store: AuditLog, until: int) -> Iterator[AuditEntry]:
    """Yield the entries up to a number; those that are appended later are left out."""
    after = 0
    while some := store.audit_chain(after, AT_ONCE):
        for entry in some:
            if entry.sequence > until:
                return
            yield entry
        after = some[-1].sequence


def _faults(last: AuditHead, entry: AuditEntry) -> Iterator[str]:
    if entry.sequence != last.sequence + 1:
        yield f"{_named(last.sequence + 1, entry.sequence - 1)} missing"
    elif entry.previous != last.hash:
        yield f"entry {entry.sequence} does not have the hash of the entry before"
    if entry.computed_hash() != entry.hash:
        yield f"entry {entry.sequence} was changed"


def _named(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"
