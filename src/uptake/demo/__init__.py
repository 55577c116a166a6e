"""A made-up week of a few hundred users, sent through every endpoint and read back."""
