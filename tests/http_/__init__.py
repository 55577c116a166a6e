"""The HTTP layer; `http` is the name of a package of Python."""
