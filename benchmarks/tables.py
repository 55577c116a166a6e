"""The style of all tables."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table


def table(title: str, **options: Any) -> Table:
    """A table that has yet to be given its columns; options are Rich's."""
    return Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, **options
    )
