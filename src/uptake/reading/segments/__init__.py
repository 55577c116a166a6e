"""Segments: the users of a project that match a filter."""


class DeadlineExceeded(Exception):
    """A query ran out of time. Its progress is stored in memory: the next attempt continues there.

    Attributes:
        users: how many have been read so far.
    """

    def __init__(self, users: int) -> None:
        super().__init__(f"{users} users read so far")
        self.users = users


class TooLarge(Exception):
    """A project's users take more memory than is available for segments."""
