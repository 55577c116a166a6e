"""What a server has of a user's samples, through Uptake's read API."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
import numpy as np

from uptake.samples import columns
from uptake.samples.digests import DayDigest, digests, identities
from uptake.uploader.reader import pages, user_path, with_query
from uptake.uploader.samples.index import Index
from uptake.uploader.sending.answers import Broken, first_line, retry_after
from uptake.uploader.sending.attempts import RETRYABLE
from uptake.uploader.sending.connection import Connection, Request, Unreachable
from uptake.uploader.sending.schedule import Halt

UNKNOWN_USER = b"urn:uptake:problem:not_found"
"""The read API's problem type for a user without data; no other server uses it."""

MAX_PAGES = 10_000
"""Pages of one list: ten million samples of a user and a metric in 31 days, more than one a second
from each of three devices."""

MAX_CURSOR = 4096
"""Characters of a cursor."""

LONGEST_WAIT = 300.0
"""Seconds that an answer may ask to wait: a person waits at a terminal for the comparison."""

ATTEMPTS = 8
FIRST_ATTEMPTS = 3
"""Attempts to connect to a server that has not answered yet: more likely, its address is wrong."""

FIRST_WAIT = 0.25
LAST_DAY = 2_932_896
"""9999-12-31, the last day of ISO 8601."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Day(msgspec.Struct):
    day: str
    count: int
    digest: str


class _Device(msgspec.Struct):
    device_name: str
    days: list[_Day]


class _Sync(msgspec.Struct):
    devices: list[_Device]
    next: str | None = None


class _Page(msgspec.Struct):
    samples: list[columns.Sample]
    next: str | None


_AnyPage = TypeVar("_AnyPage", _Sync, _Page)


def day_text(day: int) -> str:
    """A day since 1970-01-01 as ISO 8601."""
    return f"{_EPOCH + timedelta(days=day):%Y-%m-%d}"


class Server:
    """A server with Uptake's read API; the key needs the scope `data:read`."""

    def __init__(self, connection: Connection, url: str) -> None:
        self._connection = connection
        self._url = url
        self._has_answered = False

    def days(self, user_id: str, metric: str) -> list[DayDigest]:
        """The number of samples of each device and day, and their digests.

        Raises:
            Unreachable: there is no answer.
            Halt: the key is not allowed to read.
        """
        path = f"{user_path(user_id)}/sync"
        return [
            DayDigest(device.device_name, _days(day.day), day.count, day.digest)
            for page in self._pages(path, {"metric": metric}, _Sync)
            for device in page.devices
            for day in device.days
        ]

    def samples(self, user_id: str, metric: str, first: int, last: int) -> Index:
        """Identities of the samples that start on these days, with the second words of digests.

        Raises:
            Unreachable: there is no answer.
            Halt: the key is not allowed to read.
        """
        query = {"metric": metric, "from": f"{day_text(first)}T00:00:00Z"}
        if last < LAST_DAY:
            query["to"] = f"{day_text(last + 1)}T00:00:00Z"
        index = Index()
        path = f"{user_path(user_id)}/samples"
        for page in self._pages(path, query, _Page):
            if page.samples:
                stored = _columns(page.samples)
                index.add(identities(stored), np.ascontiguousarray(digests(stored)[1]))
        return index

    def _pages(
        self, path: str, query: Mapping[str, str], kind: type[_AnyPage]
    ) -> Iterator[_AnyPage]:
        """The pages of a list; none for an unknown user.

        A list that repeats a cursor or does not end is an error.
        """
        try:
            for number, page in enumerate(pages(self._get, path, query, kind), 1):
                yield page
                if page.next and (number >= MAX_PAGES or len(page.next) > MAX_CURSOR):
                    raise Unreachable(f"{self._url} gives a list that does not end")
        except Broken as error:
            raise Unreachable(f"{self._url}: {error}") from None

    def _get(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """The body of an answer; None for an unknown user."""
        asked = with_query(path, query)
        reason = ""
        for attempt in range(ATTEMPTS):
            try:
                answer = self._connection.send(Request(asked, b"", "", method="GET"))
            except Broken as error:
                reason = str(error)
                if not self._has_answered and attempt + 1 == FIRST_ATTEMPTS:
                    reason += "; is the server running, and is the address right?"
                    break
                time.sleep(FIRST_WAIT * 2**attempt)
                continue
            self._has_answered = True
            if answer.status in {401, 403}:
                raise Halt(f"the key may not read from {self._url}: {first_line(answer.body)}")
            if answer.status in RETRYABLE or answer.status >= 500:
                reason = first_line(answer.body)
                asked_wait = retry_after(answer)
                if asked_wait > LONGEST_WAIT:
                    raise Unreachable(
                        f"{self._url} asks to wait for {round(asked_wait):,} s: {reason}"
                    )
                time.sleep(max(asked_wait, FIRST_WAIT * 2**attempt))
                continue
            if answer.status == 404 and UNKNOWN_USER in answer.body:
                return None
            if answer.status != 200:
                text = f"{answer.status}: {first_line(answer.body)}"
                raise Unreachable(f"{self._url} does not answer as Uptake's read API does: {text}")
            return answer.body
        raise Unreachable(f"{self._url} gives no answer: {reason}")


def _columns(samples: Sequence[columns.Sample]) -> columns.Columns:
    try:
        return columns.latest(columns.read(samples))
    except (ValueError, KeyError, OverflowError) as error:
        raise Unreachable(f"an answer has samples that cannot be read: {error}") from None


def _days(text: str) -> int:
    try:
        return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH).days
    except ValueError as error:
        raise Unreachable(f"an answer cannot be read: {error}") from None
