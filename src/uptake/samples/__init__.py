"""Samples in columns: from wire text to arrays, to bytes, and back; merged when read."""
