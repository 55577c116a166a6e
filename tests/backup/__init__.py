"""Backups: taken, checked, restored."""
