"""Accepts submissions: validates items, commits them in groups, and returns receipts."""
