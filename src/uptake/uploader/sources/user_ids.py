"""Whom a row or file is about."""

from typing import Any

from uptake.uploader.sources import Unreadable


def user_of(told: Any, default: str | None, file: str, line: int) -> str | Unreadable:
    """The user that a row tells, as text, or the default where it tells none."""
    if told is None:
        return Unreadable(file, line, "lacks user_id") if default is None else default
    if isinstance(told, float) and told.is_integer():
        told = int(told)  # what others make of whole numbers in a column where some are missing
    if isinstance(told, bool | float):
        return Unreadable(file, line, f"the user_id {told!r} is neither text nor a whole number")
    return str(told)
