"""Samples brought together by minute, hour, day, week or month, on arrays alone."""
