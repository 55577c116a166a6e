"""Projects of a test's own on servers over each engine."""

from contract.conftest import client, served_throughout, store, tenant

__all__ = ["client", "served_throughout", "store", "tenant"]
