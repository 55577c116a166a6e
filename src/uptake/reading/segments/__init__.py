"""Segments: the users of a project for whom a filter holds."""
