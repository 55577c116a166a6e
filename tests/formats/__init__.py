"""The formats: their vectors and what they share."""
