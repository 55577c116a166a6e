"""The documents: their examples run, and they leave nothing out."""
