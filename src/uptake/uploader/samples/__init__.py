"""Requests with samples."""
