"""Projects and API keys of the model."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from uptake.store.base import AlreadyExists
from uptake.store.definitions import DEFAULT_PROJECT, Key, Project, Rate
from uptake.time_units import MICROSECONDS_PER_SECOND

Value = TypeVar("Value")


class ModelKeys:
    """`Projects`, `Keys` and `ManagedKeys`."""

    def __init__(self) -> None:
        self._projects = {DEFAULT_PROJECT: Project(DEFAULT_PROJECT, 0)}
        self._keys: dict[str, Key] = {}
        self._old_secrets: dict[str, tuple[str, int]] = {}
        self._uses: dict[tuple[str, int], tuple[int, int]] = {}

    def add_project(self, name: str, created_at: int) -> None:
        if name in self._projects:
            raise AlreadyExists(name)
        self._projects[name] = Project(name, created_at)

    def projects(self) -> list[str]:
        return sorted(self._projects)

    def project(self, name: str) -> Project | None:
        return self._projects.get(name)

    def projects_after(self, after: str, limit: int) -> list[Project]:
        return page(self._projects, after, limit)

    def add_key(self, key: Key) -> None:
        self._keys[key.id] = key

    def key(self, digest: str) -> Key | None:
        for key in self._keys.values():
            if key.digest == digest:
                return key
        key_id, until = self._old_secrets.get(digest, ("", 0))
        found = self._keys.get(key_id)
        if found is None:
            return None
        return replace(found, digest=digest, expires_at=min(until, found.expires_at or until))

    def keys(self) -> list[Key]:
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))

    def revoke_key(self, key_id: str, moment: int) -> bool:
        if key_id in self._keys:
            self._keys[key_id] = replace(self._keys[key_id], revoked_at=moment)
        return key_id in self._keys

    def keys_after(self, project: str | None, after: str, limit: int) -> list[Key]:
        return page(
            {key.id: key for key in self._keys.values() if project in {None, key.project}},
            after,
            limit,
        )

    def key_with_id(self, key_id: str) -> Key | None:
        return self._keys.get(key_id)

    def _is_known(self, known: Key) -> bool:
        key = self._keys.get(known.id)
        return key is not None and (key.digest, key.scopes, key.user) == (
            known.digest,
            known.scopes,
            known.user,
        )

    def change_key(self, known: Key, changed: Key) -> bool:
        if not self._is_known(known):
            return False
        self._keys[known.id] = replace(
            self._keys[known.id],
            name=changed.name,
            scopes=changed.scopes,
            user=changed.user,
            rates=changed.rates,
            expires_at=changed.expires_at,
        )
        return True

    def rotate_key(self, known: Key, digest: str, moment: int, until: int) -> bool:
        if not self._is_known(known):
            return False
        self._old_secrets = {
            old: (key_id, ends)
            for old, (key_id, ends) in self._old_secrets.items()
            if key_id != known.id or ends > moment
        }
        self._old_secrets[known.digest] = known.id, until
        self._keys[known.id] = replace(self._keys[known.id], digest=digest)
        return True

    def record_uses(self, uses: Mapping[str, int]) -> None:
        for key_id, moment in uses.items():
            key = self._keys.get(key_id)
            if key is not None:
                self._keys[key_id] = replace(key, last_used_at=max(moment, key.last_used_at or 0))

    def count_use(self, key_id: str, rates: Sequence[Rate], moment: int) -> list[int]:
        windows = [moment // (rate.seconds * MICROSECONDS_PER_SECOND) for rate in rates]
        uses = []
        for rate, window in zip(rates, windows, strict=True):
            counted, count = self._uses.get((key_id, rate.seconds), (window, 0))
            uses.append(count + 1 if counted == window else 1)
        full = any(use > rate.requests for use, rate in zip(uses, rates, strict=True))
        for rate, window, use in zip(rates, windows, uses, strict=True):
            self._uses[key_id, rate.seconds] = window, use - 1 if full else use
        return uses


def page(rows: dict[str, Value], after: str, limit: int | None) -> list[Value]:
    """The first rows with a name above `after`, in order of name."""
    return [rows[name] for name in sorted(rows) if name > after][:limit]
