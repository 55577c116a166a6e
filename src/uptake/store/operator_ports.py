"""The ports of what operators switch; see `store.base`."""

from typing import Protocol

from uptake.store.definitions import Issuer


class MaintenanceMode(Protocol):
    """Whether uploads are paused on all nodes."""

    def begin_maintenance(self, moment: int) -> int:
        """Turn maintenance mode on; returns the moment since which it is on."""

    def end_maintenance(self) -> None:
        """Turn maintenance mode off."""

    def maintenance_since(self) -> int | None:
        """Return the moment since which maintenance mode is on; None if it is off."""


class Registration(Protocol):
    """Which projects require that users are registered."""

    def require_registration(self, project: str, *, required: bool) -> bool:
        """Change whether a project requires it; False if there is no such project."""

    def registering_projects(self) -> list[str]:
        """Return the projects that require it, sorted by name."""


class Issuers(Protocol):
    """The issuers of end users' tokens that projects trust."""

    def add_issuer(self, issuer: Issuer) -> None:
        """Store an issuer; its project exists.

        Raises:
            AlreadyExists: its name is taken in the project, or its issuer and audience are.
        """

    def remove_issuer(self, project: str, name: str) -> bool:
        """Delete an issuer; False if the project has none with this name."""

    def issuers(self, project: str) -> list[Issuer]:
        """Return the issuers of a project, sorted by name."""

    def issuers_of(self, issuer: str) -> list[Issuer]:
        """Return the issuers with this claim `iss`, of all projects."""

    def put_key_set(self, issuer_id: str, key_set: str | None, moment: int) -> None:
        """Store the key set that was read at a moment; None if it could not be read."""
