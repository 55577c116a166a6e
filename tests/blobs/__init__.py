"""Tests of blob stores."""
