"""How commands tell what they did."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.cells import cell_len, set_cell_size

from uptake.cli.terminal import safe, say, say_json

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Failed(Exception):
    """The work could not be done; the message is for the person at the terminal."""


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    say_json(msgspec.json.encode(value).decode())


def print_table(headings: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    """Print lines under headings, every cell whole however narrow the terminal is."""
    whole = [headings, *(["" if cell is None else str(cell) for cell in line] for line in lines)]
    cells = [[safe(cell) for cell in line] for line in whole]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True))
        say("  ".join(padded).rstrip())


def print_more(following: str | None) -> None:
    """Say, below a list, how to get what comes after it; nothing where that is all."""
    if following is not None:
        say(f"There are more: --cursor {following}")
