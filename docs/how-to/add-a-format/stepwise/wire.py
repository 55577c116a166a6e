"""The bodies of Stepwise's `/walks`, after its published page for v3."""

from typing import Annotated

from msgspec import Meta, Struct

MAX_STEPS = 30_000
"""Steps of a walk (section 2 of the page)."""


class Walk(Struct):
    """One walk; times are ISO 8601."""

    begin: str
    end: str
    steps: Annotated[int, Meta(gt=0, le=MAX_STEPS)]


class Upload(Struct):
    """The request."""

    member: Annotated[str, Meta(min_length=1)]
    band: Annotated[str, Meta(min_length=1)]
    walks: Annotated[list[Walk], Meta(min_length=1)]


class Stored(Struct):
    """The answer: 200."""

    stored: int


class Failed(Struct):
    """Every failure."""

    problem: str
