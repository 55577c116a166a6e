"""The public test support."""
