"""What the sending asks of a request that carries items, whatever their kind."""

from collections.abc import Sequence
from typing import Protocol

from uptake.uploader.sending.connection import Request


class Halt(Exception):
    """There is no sense in sending anything more; the message is one line for a person."""


class Job(Protocol):
    """Items that go into one request, and what is to be noted of them."""

    @property
    def lanes(self) -> Sequence[str]:
        """Queues that it stands in: of two jobs in one, that which was put first ends first."""

    @property
    def weight(self) -> int:
        """Bytes that it keeps in memory."""

    @property
    def family(self) -> object:
        """The same for all jobs into which one was split."""

    def request(self) -> Request:
        """The request."""

    def sent(self) -> None:
        """Note, before it is sent, that it is."""

    def answered(self, status: int, body: bytes) -> "Sequence[Job]":
        """Note what an answer says of each item, and return what is to be sent instead.

        Raises:
            Unclear: the answer is none of this endpoint's; nothing is noted.
            Halt: the answer says that no such request will be taken.
        """

    def parts(self) -> "Sequence[Job]":
        """The items in smaller requests, after this one was too large; none if it cannot be."""

    def reject(self, reason: str) -> None:
        """Note that all items are rejected."""
