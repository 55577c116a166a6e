"""One request to each of the five endpoints, all about users that tests name."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2

from uptake.testing.live import LiveServer

from .pictures import picture

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
TIMEOUT = 60.0
DOCUMENT_TYPE = "diary"


class Uploads:
    """Sends to the five endpoints of a server, over connections of its own.

    Args:
        url: the server's address.
        key: may write everything and read; not bound.
        bound_key: may write samples, and is bound to a user.
        transport: how requests are sent; by default to that server, once.
    """

    def __init__(
        self,
        url: str,
        key: str,
        bound_key: str = "",
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._client = httpx2.Client(base_url=url, timeout=TIMEOUT, transport=transport)
        self.keys = key, bound_key
        self._key = key
        self._bearer = {"Authorization": f"Bearer {key}"}
        self._bound = {"Authorization": f"Bearer {bound_key}"}

    def document(self, user: str, data: Any, once: str | None = None) -> httpx2.Response:
        """Operation 1; `once` is the Idempotency-Key."""
        headers = {"x-api-key": self._key} | ({} if once is None else {"Idempotency-Key": once})
        body = {"user": {"userLabel": user}, "data": data}
        return self._client.post(f"/v1/user-data/{DOCUMENT_TYPE}", json=body, headers=headers)

    def attributes(self, rows: dict[str, dict[str, str]]) -> httpx2.Response:
        """Operation 2; all users get the same names."""
        names = list(next(iter(rows.values())))
        values = [[user, *(mine[name] for name in names)] for user, mine in rows.items()]
        body = {"field_name": ["user_id", *names], "values": values}
        return self._client.post("/v1/user/profiles", json=body, headers=self._bearer)

    def image(self, user: str, content: bytes) -> httpx2.Response:
        """Operation 3."""
        path = f"/a/api/v2/users/{user}/images"
        files = {"file": ("picture.png", content, "image/png")}
        return self._client.post(path, params={"apiKey": self._key}, files=files)

    def samples_of_bound(self, minutes: Sequence[int]) -> httpx2.Response:
        """Operation 4."""
        body = {"data_type": "steps", "data": samples(minutes)}
        return self._client.post("/api/v1.1/samples", json=body, headers=self._bound)

    def samples(self, user: str, minutes: Sequence[int]) -> httpx2.Response:
        """Operation 5."""
        body = {"user_id": user, "data_type": "steps", "data": samples(minutes)}
        return self._client.post("/api/v2.2/samples", json=body, headers=self._bearer)

    def post(self, path: str, body: Any) -> httpx2.Response:
        """Any body to an address that takes the key in the usual place."""
        return self._client.post(path, json=body, headers=self._bearer)

    def one_of_each(self, user: str, number: int) -> dict[str, Callable[[], httpx2.Response]]:
        """The five requests by the name of their endpoint, about this user, not sent yet."""
        minutes = range(number * 10, number * 10 + 3)
        return {
            "thymia": lambda: self.document(user, {"n": number}),
            "ptengine": lambda: self.attributes({user: {f"n{number}": "x"}}),
            "questionpro": lambda: self.image(user, picture(number)),
            "gerosense-v1.1": lambda: self.samples_of_bound(minutes),
            "gerosense-v2.2": lambda: self.samples(user, minutes),
        }

    def read(self, path: str, **query: Any) -> Any:
        """What the product's own API answers with 200 to this path below its prefix."""
        answer = self._client.get(f"/uptake/v1{path}", params=query, headers=self._bearer)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def starts(self, user: str) -> list[str]:
        """The starts of all samples of a user."""
        found: list[str] = []
        query: dict[str, Any] = {"metric": "steps", "limit": 10_000}
        while True:
            page = self.read(f"/users/{user}/samples", **query)
            found += [sample["start_date"] for sample in page["samples"]]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]

    def get(self, url: str) -> httpx2.Response:
        """Any address, without a key."""
        return self._client.get(url)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def start_of(minute: int) -> str:
    """The start of the sample of a minute."""
    return (EPOCH + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")


def samples(minutes: Sequence[int]) -> list[dict[str, Any]]:
    """A sample for each minute."""
    return [
        {
            "device_name": "watch",
            "start_date": start_of(minute),
            "end_date": start_of(minute + 1),
            "unit": "count",
            "value": 1 + minute % 1000,
        }
        for minute in minutes
    ]


def keys_of(server: LiveServer, bound_user: str) -> tuple[str, str]:
    """A key for everything and one bound to a user; the document type is registered too."""
    server.create_type(DOCUMENT_TYPE)
    return server.create_key(), server.create_key("samples:write", user=bound_user)


def log_of(server: LiveServer, since: int = 0) -> str:
    """What the server has logged, up to a request that is made now: lines come with a delay."""
    last = f"last-{uuid4()}"
    httpx2.get(f"{server.url}/health/live", headers={"X-Request-Id": last}, timeout=TIMEOUT)
    until = time.monotonic() + TIMEOUT
    while last not in (log := server.log) and time.monotonic() < until:
        time.sleep(0.02)
    assert last in log
    return log[since:]


def problem_of(name: str, answer: httpx2.Response) -> Any:
    """The part of an endpoint's error envelope that describes the error.

    Raises:
        AssertionError: the answer is not in the endpoint's envelope.
    """
    content = answer.json()
    match name:
        case "thymia":
            assert list(content) == ["detail"]
            return content["detail"]
        case "ptengine":
            assert list(content) == ["msg", "timestamp"]
            return content["msg"]
        case "questionpro":
            error = content["response"]["error"]
            assert {"docs", "name", "httpStatusCode", "id", "message", "resourceUrl"} == set(error)
            assert answer.status_code == error["httpStatusCode"]
            return error["name"]
        case _:
            assert list(content) == ["code", "message"]
            return content["code"]
