"""A week of generated data for a few hundred users, uploaded to every endpoint and read back."""
