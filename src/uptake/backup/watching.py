"""How those who wait are told how far a backup is."""

from typing import Protocol


class Watcher(Protocol):
    """Is told of each part of the work, and of every step in it."""

    def begin(self, what: str, total: int | None) -> None:
        """A part begins; it has so many steps, if that is known."""
        ...

    def advance(self, steps: int) -> None:
        """So many more steps are done."""
        ...
