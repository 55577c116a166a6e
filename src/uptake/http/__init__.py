"""The edge: from HTTP to a format and back, and the product's own API."""
