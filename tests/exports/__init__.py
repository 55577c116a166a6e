"""Exports hold exactly what was stored, in forms that other tools open."""
