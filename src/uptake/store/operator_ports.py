"""The ports of what operators switch; see `store.base`."""

from typing import Protocol


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
