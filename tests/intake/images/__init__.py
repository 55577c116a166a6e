"""Tests of what is kept and what is taken out of uploaded pictures."""
