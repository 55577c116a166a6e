"""Rollups on arrays: who counts when, and how numbers are grouped."""
