"""A store beside the live server, for projects and keys of a test's own, and a client."""

from contract.conftest import client, store

__all__ = ["client", "store"]
