"""Comparison of sources with a server, sample for sample."""
