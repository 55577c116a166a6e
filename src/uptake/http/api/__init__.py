"""The product's own API: `/uptake/v1`."""
