"""Input that no test would think of."""
