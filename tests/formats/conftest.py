"""A store beside the live servers, for projects and keys of a test's own, and a client."""

from contract.conftest import client, store

__all__ = ["client", "store"]
