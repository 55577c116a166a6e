"""The actor on behalf of which a thread works, for the audit log.

The caller runs work under `acting`. The store reads `current` when it changes something, so that
the entry is in the transaction of the change. Work without an actor, such as the deletion of
expired data, is not in the audit log.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from msgspec import Struct

COMMAND_LINE = "cli"
"""The actor of commands on the server's machine."""


class Act(Struct, frozen=True):
    """Who acts: the id of an API key or a session, or `COMMAND_LINE`; and from which address."""

    actor: str
    address: str = ""


_current: ContextVar[Act | None] = ContextVar("act", default=None)


def current() -> Act | None:
    """Who acts in this thread; None if it is the server itself."""
    return _current.get()


@contextmanager
def acting(act: Act | None) -> Iterator[None]:
    """Have the block act on behalf of an actor."""
    token = _current.set(act)
    try:
        yield
    finally:
        _current.reset(token)
