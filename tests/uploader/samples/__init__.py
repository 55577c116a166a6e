"""Tests of how samples are gathered into requests."""
