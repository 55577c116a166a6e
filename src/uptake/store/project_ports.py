"""The ports of a store for projects and API keys."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from uptake.store.definitions import Key, Project, Rate


class Projects(Protocol):
    """Projects."""

    def add_project(self, name: str, created_at: int) -> None:
        """Create a project.

        Raises:
            AlreadyExists: the name is taken.
        """

    def projects(self) -> list[str]:
        """Return the names of all projects, sorted."""

    def project(self, name: str) -> Project | None:
        """Return the project with this name."""

    def projects_after(self, after: str, limit: int) -> list[Project]:
        """Return the first projects with a name above `after`, in order of name."""


class Keys(Protocol):
    """API keys."""

    def add_key(self, key: Key) -> None:
        """Store a key; its project exists."""

    def key(self, digest: str) -> Key | None:
        """Return the key with this digest.

        With the digest of a secret that was replaced, the key has this digest, and the end of that
        secret.
        """

    def keys(self) -> list[Key]:
        """Return all keys, in order of creation."""

    def revoke_key(self, key_id: str, moment: int) -> bool:
        """Revoke a key from a moment on; False if there is none with this id."""

    def record_uses(self, uses: Mapping[str, int]) -> None:
        """Set when keys were used, by id; an earlier use than the recorded one changes nothing."""

    def count_use(self, key_id: str, rates: Sequence[Rate], moment: int) -> list[int]:
        """Count a use of a key in the current window of each rate, unless a window is full.

        Args:
            key_id: of the key.
            rates: each with windows of another length.
            moment: of the use.

        Returns:
            For each rate, the number of uses in its window, with this one.
        """


class ManagedKeys(Protocol):
    """API keys as operators manage them."""

    def keys_after(self, project: str | None, after: str, limit: int) -> list[Key]:
        """Return the first keys of a project, or of all, with an id above `after`, in order."""

    def key_with_id(self, key_id: str) -> Key | None:
        """Return the key with this id."""

    def change_key(self, known: Key, changed: Key) -> bool:
        """Replace the name, the scopes, the user, the rates and the end of a key.

        Returns:
            False if the key is not as it is known; then nothing changes.
        """

    def rotate_key(self, known: Key, digest: str, moment: int, until: int) -> bool:
        """Give a key another secret. The one that it has stays valid until a later moment.

        Returns:
            False if the key is not as it is known; then nothing changes.
        """
