"""The word in the tables for a target that is met or missed."""

from __future__ import annotations


def verdict(*, reached: bool) -> str:
    """A word for the table."""
    return "reached" if reached else "MISSED"
