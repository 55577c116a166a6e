"""Stores of items, rejections, projects and API keys: the ports and their back ends."""
