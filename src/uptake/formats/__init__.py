"""Vendors' wire formats: one folder for each, listed in `registry`."""


class UnusableFormat(Exception):
    """A format cannot be served; the message names it and the reason."""
