"""Projects of a test's own on servers over each engine."""

from contract.conftest import client, store, tenant

__all__ = ["client", "store", "tenant"]
