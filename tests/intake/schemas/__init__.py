"""Tests of the validation of documents."""
