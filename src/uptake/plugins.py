"""Parts that other packages add, by entry points in their metadata."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import TypeVar

Part = TypeVar("Part")


def installed(group: str, what: str, kind: type[Part], unusable: type[Exception]) -> Iterator[Part]:
    """The parts of a group of entry points, in order of their names.

    Args:
        group: of the entry points.
        what: they are, for messages.
        kind: the type of each.
        unusable: raised if one cannot be loaded or is of another type.
    """
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        try:
            part = point.load()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise unusable(
                f"{what} {point.name!r}: {point.value} cannot be loaded: {reason}"
            ) from error
        if not isinstance(part, kind):
            raise unusable(f"{what} {point.name!r}: {point.value} is not a {kind.__name__}")
        yield part
