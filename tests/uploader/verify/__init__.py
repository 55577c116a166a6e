"""Tests of the verification of uploads."""
