"""Tests of relays: what the receivers get."""
