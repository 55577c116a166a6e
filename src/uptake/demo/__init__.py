"""A made-up week of a few hundred users, sent through every operation and read back."""
