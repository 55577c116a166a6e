"""Where accepted items, refusals, projects and keys are kept: the port and its back ends."""
