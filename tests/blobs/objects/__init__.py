"""A server that keeps images in an object store."""
