"""The registry's half of the store in memory, and the lock that both halves share."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from uptake.model import ids
from uptake.model.ids import Secrets
from uptake.store.base import DEFAULT_PROJECT, AlreadyExists, StoreUnavailable
from uptake.store.definitions import (
    FIRST_VERSION,
    DocumentType,
    Key,
    Rate,
    RetentionRule,
    TypeVersion,
)
from uptake.time_units import MICROSECONDS_PER_SECOND


class MemoryRegistry:
    """Projects, keys and document types.

    Args:
        secrets: of the installation; new ones by default.

    Attributes:
        reachable: set to False to see what happens when a store cannot be reached.
    """

    def __init__(self, secrets: Secrets | None = None) -> None:
        self.reachable = True
        self._lock = threading.Lock()
        self._secrets = secrets or Secrets(os.urandom(32), os.urandom(32))
        self._projects = {DEFAULT_PROJECT}
        self._keys: dict[str, Key] = {}
        self._uses: dict[str, tuple[int, int]] = {}
        self._rules: dict[str, list[RetentionRule]] = {}
        self._claims: dict[str, int] = {}
        self._types: dict[tuple[str, str], DocumentType] = {}
        self._type_versions: dict[tuple[str, str], list[TypeVersion]] = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else in meanwhile."""
        with self._lock:
            if not self.reachable:
                raise StoreUnavailable("the store is out of reach")
            yield

    def secrets(self) -> Secrets:
        """See `Installation.secrets`."""
        return self._secrets

    def user_hash(self, user_id: str) -> str:
        """See `ChangeFeed.user_hash`."""
        return ids.user_hash(self._secrets.user_hash, user_id)

    def add_project(self, name: str, created_at: int) -> None:  # noqa: ARG002 - the port's
        """See `Projects.add_project`."""
        with self.alone():
            if name in self._projects:
                raise AlreadyExists(name)
            self._projects.add(name)

    def projects(self) -> list[str]:
        """See `Projects.projects`."""
        with self.alone():
            return sorted(self._projects)

    def add_key(self, key: Key) -> None:
        """See `Keys.add_key`."""
        with self.alone():
            self._keys[key.id] = key

    def key(self, digest: str) -> Key | None:
        """See `Keys.key`."""
        with self.alone():
            return next((key for key in self._keys.values() if key.digest == digest), None)

    def keys(self) -> list[Key]:
        """See `Keys.keys`."""
        with self.alone():
            return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))

    def revoke_key(self, key_id: str, moment: int) -> bool:
        """See `Keys.revoke_key`."""
        with self.alone():
            if key_id not in self._keys:
                return False
            self._keys[key_id] = replace(self._keys[key_id], revoked_at=moment)
            return True

    def put_type(self, project: str, document_type: DocumentType) -> DocumentType:
        """See `DocumentTypeRegistry.put_type`."""
        key, schema = (project, document_type.name), document_type.schema
        with self.alone():
            versions = self._type_versions.setdefault(key, [])
            if not versions or versions[-1].schema != schema:
                number = len(versions) + FIRST_VERSION
                versions.append(TypeVersion(number, schema, document_type.created_at))
            known = self._types.get(key, document_type)
            self._types[key] = replace(known, schema=schema, version=versions[-1].version)
            return self._types[key]

    def type_versions(self, project: str, name: str, after: int, limit: int) -> list[TypeVersion]:
        """See `DocumentTypeRegistry.type_versions`."""
        with self.alone():
            found = self._type_versions.get((project, name), [])
            return [version for version in found if version.version > after][:limit]

    def document_type(self, project: str, name: str) -> DocumentType | None:
        """See `DocumentTypeRegistry.document_type`."""
        with self.alone():
            return self._types.get((project, name))

    def document_types(
        self, project: str, after: str = "", limit: int | None = None
    ) -> list[DocumentType]:
        """See `DocumentTypeRegistry.document_types`."""
        with self.alone():
            found = [
                kept
                for (owner, name), kept in self._types.items()
                if owner == project and name > after
            ]
        return sorted(found, key=lambda document_type: document_type.name)[:limit]

    def spend(self, key_id: str, rate: Rate, moment: int) -> int:
        """See `Keys.spend`."""
        window = moment // (rate.seconds * MICROSECONDS_PER_SECOND)
        with self.alone():
            counted, uses = self._uses.get(key_id, (window, 0))
            uses = uses + 1 if counted == window else 1
            self._uses[key_id] = (window, uses)
            return uses

    def put_retention(self, project: str, rules: Sequence[RetentionRule]) -> None:
        """See `Retention.put_retention`."""
        with self.alone():
            self._rules[project] = sorted(rules, key=lambda rule: (rule.kind, rule.type))

    def retention(self, project: str) -> list[RetentionRule]:
        """See `Retention.retention`."""
        with self.alone():
            return list(self._rules.get(project, []))

    def claim(self, name: str, now: int, until: int) -> bool:
        """See `Maintenance.claim`."""
        with self.alone():
            if self._claims.get(name, now) > now:
                return False
            self._claims[name] = until
            return True

    def ping(self) -> None:
        """See `Installation.ping`."""
        with self.alone():
            pass

    def close(self) -> None:
        """See `Installation.close`."""
