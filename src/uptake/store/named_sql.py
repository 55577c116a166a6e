"""The named statements of `sql/`: a file for each engine, a line `-- name --` before each."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from operator import itemgetter
from typing import Any

from uptake.store.database import Row

PARAMETER = r"(?<!:):([a-z_0-9]+)"

_HEADER = re.compile(r"^-- ([a-z_]+) --$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)


@cache
def load(engine: str) -> dict[str, str]:
    """Return the statements of an engine by name, without comments."""
    text = resources.files(__package__).joinpath("sql", f"{engine}.sql").read_text("utf-8")
    _, *parts = _HEADER.split(text)
    return {
        name: _COMMENT.sub("", body).strip()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def picker(names: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
    """Return a function that returns the values of a row with these names."""
    # `itemgetter` is faster, but returns a tuple only for several names.
    return itemgetter(*names) if len(names) > 1 else lambda row: tuple(row[name] for name in names)
