"""Requests on their way: in order for each user, as many at a time as the other side bears."""
