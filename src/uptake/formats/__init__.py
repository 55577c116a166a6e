"""Vendors' wire formats: one folder for each, listed in `registry`."""
