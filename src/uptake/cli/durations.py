"""Durations as options write them: `90d`, `1m`."""

import typer

from uptake.time_units import read_duration


def parse_duration(option: str, text: str) -> int:
    """Parse the value of an option, a duration such as `90d`, into seconds.

    Raises:
        BadParameter: it is not a duration.
    """
    try:
        return read_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option} {text!r}: {error}") from None
