"""Tests of what can be asked of the kept data."""
