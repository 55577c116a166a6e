"""Cleaning of uploaded images."""
