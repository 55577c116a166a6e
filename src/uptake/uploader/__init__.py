"""Sends what people have to an endpoint: everything once, nothing missed, whatever happens."""
