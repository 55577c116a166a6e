"""Tests of queries over the stored data."""
