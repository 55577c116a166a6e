"""Uptake: a self-hosted intake for data about users."""

__version__ = "0.1.0"
