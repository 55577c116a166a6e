"""Where accepted items, rejections, projects and keys are kept: the port and its back ends."""
