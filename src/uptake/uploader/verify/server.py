"""What a server says that it holds of a user's samples, through its read API."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import numpy as np

from uptake.samples import columns
from uptake.samples.digests import DayDigest, digests, identities
from uptake.uploader.samples.index import Index
from uptake.uploader.sending.connection import Broken, Connection, Request
from uptake.uploader.sending.job import Halt
from uptake.uploader.sending.sender import AGAIN, retry_after, words

PREFIX = "/uptake/v1"
PAGE = 1000
NOTHING = b"urn:uptake:problem:not_found"
"""What the read API says of a user whom it does not know, and no other server."""

ATTEMPTS = 8
FIRST_WAIT = 0.25
LAST_DAY = 2_932_896
"""9999-12-31; there is none after it."""

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
    samples: list[dict[str, Any]]
    next: str | None


class Unreachable(Exception):
    """The server gives no answer, or none that can be used; the message says which."""


def day_text(day: int) -> str:
    """A day since 1970-01-01 as ISO 8601."""
    return f"{_EPOCH + timedelta(days=day):%Y-%m-%d}"


class Server:
    """Asks a server; its read API is Uptake's, and the key needs the scope `data:read`."""

    def __init__(self, connection: Connection, url: str) -> None:
        self._connection = connection
        self._url = url

    def days(self, user_id: str, metric: str) -> list[DayDigest]:
        """How many samples it holds of each device and day, and their digests.

        Raises:
            Unreachable: there is no answer.
            Halt: the key may not ask.
        """
        found: list[DayDigest] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"metric": metric, "limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
            body = self._get(f"{PREFIX}/users/{quote(user_id, safe='')}/sync", query)
            if body is None:
                return []
            page = _decode(body, _Sync)
            found += [
                DayDigest(device.device_name, _days(day.day), day.count, day.digest)
                for device in page.devices
                for day in device.days
            ]
            cursor = page.next
        return found

    def samples(self, user_id: str, metric: str, first: int, last: int) -> Index:
        """Identities of the samples that start from one day to another, with digests' second words.

        Raises:
            Unreachable: there is no answer.
            Halt: the key may not ask.
        """
        span = {"from": f"{day_text(first)}T00:00:00Z"}
        if last < LAST_DAY:
            span["to"] = f"{day_text(last + 1)}T00:00:00Z"
        held = self._samples(user_id, metric, span)
        index = Index()
        if held is not None:
            index.note(identities(held), np.ascontiguousarray(digests(held)[1]))
        return index

    def _samples(
        self, user_id: str, metric: str, span: Mapping[str, str]
    ) -> columns.Columns | None:
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"metric": metric, "limit": str(PAGE), **span}
            query |= {"cursor": cursor} if cursor else {}
            body = self._get(f"{PREFIX}/users/{quote(user_id, safe='')}/samples", query)
            if body is None:
                return None
            page = _decode(body, _Page)
            found += page.samples
            cursor = page.next
        if not found:
            return None
        names = ("device_name", "device_version", "start_date", "end_date", "unit", "value")
        return columns.build(*([one[name] for one in found] for name in names))

    def _get(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """The body of an answer; None where there is nothing."""
        asked = path + (f"?{urlencode(query)}" if query else "")
        reason = ""
        for attempt in range(ATTEMPTS):
            try:
                answer = self._connection.send(Request(asked, b"", "", method="GET"))
            except Broken as error:
                reason = str(error)
                time.sleep(FIRST_WAIT * 2**attempt)
                continue
            if answer.status in {401, 403}:
                raise Halt(f"the key may not read from {self._url}: {words(answer.body)}")
            if answer.status in AGAIN or answer.status >= 500:
                reason = words(answer.body)
                time.sleep(max(retry_after(answer), FIRST_WAIT * 2**attempt))
                continue
            if answer.status == 404 and NOTHING in answer.body:
                return None
            if answer.status != 200:
                said = f"{answer.status}: {words(answer.body)}"
                raise Unreachable(f"{self._url} does not answer as Uptake's read API does: {said}")
            return answer.body
        raise Unreachable(f"{self._url} gives no answer: {reason}")


def _decode(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unreachable(f"an answer cannot be read: {error}") from error


def _days(text: str) -> int:
    try:
        return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH).days
    except ValueError as error:
        raise Unreachable(f"an answer cannot be read: {error}") from error
