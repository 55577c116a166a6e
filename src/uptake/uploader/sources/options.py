"""What files do not have, and how they are to be read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from uptake.uploader.sources import UnknownSource

TIME_UNITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
"""Units of epoch times, and the decimal places by which each is less than a second."""

Stop = Callable[[], bool]


def never() -> bool:
    """Nothing stops the reading."""
    return False


class ItemOptions(TypedDict, total=False):
    """What files may not have.

    Attributes:
        user: the default user id for rows without one.
        columns: names of the wire to those of the file.
        stopped: whether a wait for a stream is to end.
    """

    user: str | None
    columns: Mapping[str, str]
    stopped: Stop


class TableOptions(ItemOptions, total=False):
    """What files with a row for each item may not have.

    Attributes:
        delimiter: between the cells of CSV; None to detect it.
        skip_rows: lines of CSV before the header.
    """

    delimiter: str | None
    skip_rows: int


class SampleOptions(TableOptions, total=False):
    """What files of samples may not have.

    Attributes:
        metric: the default metric, `steps` or `bpm`.
        unit: the default unit.
        device: the default device name.
        duration: seconds from the start to the end of rows without an end.
        time_unit: of times that are numbers since 1970: `s`, `ms`, `us` or `ns`.
    """

    metric: str | None
    unit: str | None
    device: str | None
    duration: int | None
    time_unit: str | None


@dataclass(frozen=True, slots=True)
class FileOptions:
    """The options above as one object.

    Raises:
        UnknownSource: one is not valid.
    """

    user: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    stopped: Stop = never
    delimiter: str | None = None
    skip_rows: int = 0
    metric: str | None = None
    unit: str | None = None
    device: str | None = None
    duration: int | None = None
    time_unit: str | None = None

    def __post_init__(self) -> None:
        delimiter, unit = self.delimiter, self.time_unit
        if delimiter is not None and not (
            len(delimiter) == 1 and delimiter.isascii() and delimiter not in '"\r\n\0'
        ):
            raise UnknownSource(f"the delimiter {delimiter!r} is not one ASCII character")
        if unit is not None and unit not in TIME_UNITS:
            raise UnknownSource(f"the time unit {unit!r} is none of {', '.join(TIME_UNITS)}")

    def default(self, column: str) -> str | None:
        """The default value of a column of samples; None when it has none."""
        defaults = {
            "user_id": self.user,
            "metric": self.metric,
            "unit": self.unit,
            "device_name": self.device,
        }
        return defaults.get(column)
