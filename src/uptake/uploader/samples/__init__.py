"""Samples on their way: identified, compared with the ledger, gathered into requests."""
