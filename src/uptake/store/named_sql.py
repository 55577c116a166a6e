"""The named statements of `sql/`: a file for each engine, a line `-- name --` before each."""

import re
from functools import cache
from importlib import resources

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
