"""Durations as options write them: `90d`, `1m`."""

import re

import typer

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
"""Units, in seconds."""

MAX_SECONDS = 100 * 365 * 86400


def parse_duration(option: str, text: str) -> int:
    """Parse the value of an option, a duration such as `90d`, into seconds.

    Raises:
        BadParameter: it is not a duration.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,9})([smhdw])", text)
    if match is None or int(match[1]) * SECONDS[match[2]] > MAX_SECONDS:
        raise typer.BadParameter(
            f"{option} {text!r}: must be a number and a unit (s, m, h, d or w), e.g. 90d"
        )
    return int(match[1]) * SECONDS[match[2]]
