"""The resources of `/uptake/v1`."""
