"""The word of every table for whether a figure is what it has to be."""

from __future__ import annotations


def verdict(*, reached: bool) -> str:
    """A word for the table."""
    return "reached" if reached else "MISSED"
