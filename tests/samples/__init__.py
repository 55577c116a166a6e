"""Tests of the columns of samples."""
