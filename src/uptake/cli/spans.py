"""Spans of time as options write them: `90d`, `1m`."""

import re

import typer

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
MAX_SECONDS = 100 * 365 * 86400


def parse_span(text: str) -> int:
    """Seconds of a span such as `90d`.

    Raises:
        BadParameter: it is none.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,9})([smhdw])", text)
    if match is None or int(match[1]) * SECONDS[match[2]] > MAX_SECONDS:
        raise typer.BadParameter(f"{text!r}: a span is a number and one of s, m, h, d, w: 90d")
    return int(match[1]) * SECONDS[match[2]]
