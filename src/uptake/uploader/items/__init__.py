"""Requests with attributes, documents and images."""
