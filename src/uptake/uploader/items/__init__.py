"""Attributes, documents and images on their way into requests."""
