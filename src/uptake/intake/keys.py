"""API keys: created, changed, rotated and revoked, without giving more than the caller has."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from uptake.model import clock, ids
from uptake.model.items import user_id_fault
from uptake.model.problems import Kinds, Problem
from uptake.store.definitions import Key, Rate
from uptake.store.project_ports import Keys, ManagedKeys
from uptake.time_units import MICROSECONDS_PER_SECOND, SECONDS_PER_DAY, read_duration

ADMIN = "admin"
"""The scope of those who manage one project."""

OPERATOR = "operator"
"""The scope of those who manage all projects."""

MAX_NAME = 100
"""Characters of the name of a key: it fits on one line of a list."""

MAX_RATES = 4
"""Rates of a key, each of which costs an upload a row: a minute, an hour, a day and a month."""

MAX_REQUESTS = 1_000_000_000
"""Requests of a rate: the count fits into 32 bits."""

DEFAULT_OVERLAP = "24h"
"""How long a secret stays valid after it was replaced, unless the operator chooses."""

MAX_OVERLAP_SECONDS = 90 * SECONDS_PER_DAY
"""The longest overlap; a secret that stays valid for longer was not replaced."""

_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


def new_key(project: str, scopes: Sequence[str]) -> tuple[Key, str]:
    """Return a new key without limits, and its secret."""
    secret = ids.new_key()
    digest, scopes = ids.key_digest(secret), tuple(dict.fromkeys(scopes))
    return Key(ids.time_ordered(), digest, project, scopes, clock.now()), secret


def read_rate(text: str) -> Rate:
    """Read a rate such as `300/60s`.

    Raises:
        ValueError: it is not a rate.
    """
    requests, slash, duration = text.partition("/")
    if not slash or not re.fullmatch(r"[1-9][0-9]{0,9}", requests) or int(requests) > MAX_REQUESTS:
        raise ValueError("must be REQUESTS/DURATION, e.g. 300/60s")
    return Rate(int(requests), read_duration(duration))


def read_overlap(text: str) -> int:
    """Read how long a replaced secret stays valid, in seconds; `0s` ends it at once.

    Raises:
        ValueError: it is not a duration, or too long.
    """
    seconds = 0 if text == "0s" else read_duration(text)
    if seconds > MAX_OVERLAP_SECONDS:
        raise ValueError(f"must be at most {MAX_OVERLAP_SECONDS // SECONDS_PER_DAY}d")
    return seconds


def faults_of(key: Key, scopes: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the properties of a key: the name of each, and the reason.

    Args:
        key: to be stored.
        scopes: all that exist.
    """
    if not key.scopes:
        yield "scopes", "must not be empty"
    for scope in key.scopes:
        if scope not in scopes:
            yield "scopes", f"must be among {', '.join(scopes)} (got {scope!r})"
    if key.user is not None and (fault := user_id_fault(key.user)):
        yield "user", fault
    if key.name is not None:
        if not 1 <= len(key.name) <= MAX_NAME:
            yield "name", f"must have 1 to {MAX_NAME} characters"
        elif _NOT_PRINTABLE.search(key.name):
            yield "name", "must not contain control characters"
    if len(key.rates) > MAX_RATES:
        yield "rates", f"must be at most {MAX_RATES}"
    elif len({rate.seconds for rate in key.rates}) < len(key.rates):
        yield "rates", "must have different durations"


class KeyStore(Keys, ManagedKeys, Protocol):
    """The ports that keys are managed with."""


@dataclass(frozen=True, slots=True)
class KeyManager:
    """Manages API keys on behalf of a key, or of an operator on the server's machine.

    A key with the scope `admin` manages the keys of its project, one with `operator` those of all
    projects. It gives the scopes that it has; those of uploads, because it may replay uploads with
    a body of its own; and `admin`, which `operator` includes here. What it gives ends no later than
    it ends itself.

    Attributes:
        store: of the keys.
        by: the key on behalf of which; None for an operator on the server's machine.
        uploads: the scopes of uploads.
    """

    store: KeyStore
    by: Key | None
    uploads: Collection[str]

    @property
    def is_operator(self) -> bool:
        """Whether keys of all projects are managed."""
        return self.by is None or OPERATOR in self.by.scopes

    def find(self, key_id: str) -> Key:
        """Return a key.

        Raises:
            Problem: `NOT_FOUND`: it does not exist, or is of another project.
        """
        key = self.store.key_with_id(key_id)
        if key is None or not (
            self.is_operator or self.by is None or key.project == self.by.project
        ):
            raise Problem(Kinds.NOT_FOUND, f"There is no API key with the id {key_id!r}")
        return key

    def create(self, key: Key) -> None:
        """Store a new key.

        Raises:
            Problem: `FORBIDDEN`: it has more than the caller.
        """
        self._check_given(None, key)
        self.store.add_key(key)

    def change(self, key_id: str, change: Callable[[Key], Key]) -> Key:
        """Change a key, and return it as it is then.

        Args:
            key_id: of the key.
            change: returns the key with other properties.

        Raises:
            Problem: as `find`; `FORBIDDEN`: it would have more than the caller.
        """
        while True:
            known = self.find(key_id)
            changed = change(known)
            self._check_managed(known)
            self._check_given(known, changed)
            if self.by is not None and self.by.id == key_id and changed.rates != known.rates:
                raise Problem(Kinds.FORBIDDEN, "A key cannot change its own rates")
            if self.store.change_key(known, changed):
                return changed

    def rotate(self, key_id: str, overlap: int) -> tuple[Key, str]:
        """Give a key another secret, and return both. The old one is valid for `overlap` seconds.

        Raises:
            Problem: as `find`; `FORBIDDEN`: it has more than the caller; `BAD_REQUEST`: it was
                revoked or has expired.
        """
        while True:
            known, now = self.find(key_id), clock.now()
            self._check_managed(known)
            self._check_given(None, known)
            if not known.is_valid(now):
                reason = "was revoked" if known.revoked_at is not None else "has expired"
                raise Problem(Kinds.BAD_REQUEST, f"The key {key_id} {reason}. Create a new key.")
            secret = ids.new_key()
            digest = ids.key_digest(secret)
            until = now + overlap * MICROSECONDS_PER_SECOND
            if self.store.rotate_key(known, digest, now, until):
                return replace(known, digest=digest), secret

    def revoke(self, key_id: str) -> Key:
        """Revoke a key, unless it was revoked before, and return it.

        Raises:
            Problem: as `find`; `FORBIDDEN`: it is an operator's, and the caller is none.
        """
        known, now = self.find(key_id), clock.now()
        self._check_managed(known)
        if known.revoked_at is not None:
            return known
        self.store.revoke_key(key_id, now)
        return replace(known, revoked_at=now)

    def _check_managed(self, known: Key) -> None:
        if OPERATOR in known.scopes and not self.is_operator:
            message = f"Only a key with the scope {OPERATOR} can change one that has it"
            raise Problem(Kinds.FORBIDDEN, message)

    def _check_given(self, known: Key | None, key: Key) -> None:
        """Check that a key has nothing that the caller does not have, except what is known."""
        by = self.by
        if by is None:
            return
        if not self.is_operator and key.project != by.project:
            message = f"The key cannot manage keys of the project {key.project!r}"
            raise Problem(Kinds.FORBIDDEN, message)
        extended = known is None or _ends_later(key.expires_at, known.expires_at)
        if extended and _ends_later(key.expires_at, by.expires_at):
            message = f"expires_at: must not be later than that of the calling key, {by.id}"
            raise Problem(Kinds.FORBIDDEN, message)
        had = set() if known is None or extended or key.user != known.user else set(known.scopes)
        giveable = {*by.scopes, *self.uploads} | ({ADMIN} if self.is_operator else set())
        if more := sorted(set(key.scopes) - had - giveable):
            message = f"The key cannot give the scope {' or '.join(more)}, which it does not have"
            raise Problem(Kinds.FORBIDDEN, message)


def _ends_later(end: int | None, other: int | None) -> bool:
    """Whether a moment is after another; None is never."""
    return other is not None and (end is None or end > other)
