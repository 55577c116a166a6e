"""A project of a test's own on a server that runs, and what a test does in it."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec
from msgspec.structs import replace

from uptake.cli.keys import new_key
from uptake.model import clock
from uptake.store.base import Store
from uptake.store.definitions import FIRST_VERSION, Rate, TypeVersion
from uptake.store.stored import StoredRejection
from uptake.testing.live import ALL_WRITES
from uptake.time_units import MICROSECONDS_PER_SECOND

EVERYTHING = (*ALL_WRITES, "data:read")
SECOND = MICROSECONDS_PER_SECOND

TURNS = 8
"""So many answers in a row come from every process of every server."""

_numbers = itertools.count(1)


@dataclass
class Tenant:
    """A project, a client of its server, the store beside the server, and a key for everything."""

    client: httpx2.Client
    store: Store
    project: str
    secret: str = ""

    def key(
        self,
        *scopes: str,
        user: str | None = None,
        rate: Rate | None = None,
        seconds: int | None = None,
    ) -> str:
        """The secret of a new key; without scopes it may do everything; valid for `seconds`."""
        return self.named_key(*scopes, user=user, rate=rate, seconds=seconds)[0]

    def key_with(self, *scopes: str, **properties: Any) -> str:
        """The secret of a new key with these properties of a `Key`."""
        key, secret = new_key(self.project, scopes)
        self.store.add_key(replace(key, **properties))
        return secret

    def named_key(
        self,
        *scopes: str,
        user: str | None = None,
        rate: Rate | None = None,
        seconds: int | None = None,
    ) -> tuple[str, str]:
        """The secret and the id of a new key."""
        key, secret = new_key(
            self.project, scopes or EVERYTHING, user=user, rate=rate, seconds=seconds
        )
        self.store.add_key(key)
        return secret, key.id

    def type(self, name: str, schema: Any = None) -> None:
        """Register a document type."""
        text = None if schema is None else msgspec.json.encode(schema).decode()
        known = self.store.document_type(self.project, name)
        number = FIRST_VERSION if known is None else known.version + 1
        version = TypeVersion(number, text, clock.now())
        assert self.store.add_type_version(self.project, name, version)

    def get(self, path: str, secret: str = "", **options: Any) -> httpx2.Response:
        """Read from `/uptake/v1`."""
        headers = {"Authorization": f"Bearer {secret or self.secret}"}
        return self.client.get(f"/uptake/v1{path}", headers=headers, **options)

    def user(self, user_id: str) -> dict[str, Any]:
        """What is reported of a user."""
        return dict(self.get(f"/users/{quote(user_id, safe='')}").json())

    def samples(self, user_id: str, metric: str = "steps", **query: Any) -> list[dict[str, Any]]:
        """All samples of a user, whatever the size of a page."""
        path = f"/users/{quote(user_id, safe='')}/samples"
        return list(self.pages(path, "samples", metric=metric, **query))

    def images(self, user_id: str) -> list[dict[str, Any]]:
        """All images of a user."""
        return list(self.pages(f"/users/{quote(user_id, safe='')}/images", "images"))

    def pages(self, path: str, name: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The entries of a list, page after page."""
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, params={**query, **cursor}).json()
            yield from page[name]
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}

    def rejections(self) -> list[StoredRejection]:
        """What was rejected in this project."""
        return self.store.rejections(self.project, "", 1000)

    def document(self, user_id: str, data: Any, **headers: str) -> httpx2.Response:
        """Send a document of the type `mood` to thymia's endpoint."""
        headers = {"x-api-key": self.secret, **headers}
        body = {"user": {"userLabel": user_id}, "data": data}
        return self.client.post("/v1/user-data/mood", json=body, headers=headers)

    def profiles(self, names: list[str], *rows: list[Any]) -> httpx2.Response:
        """Send attributes to Ptengine's endpoint."""
        headers = {"Authorization": f"Bearer {self.secret}"}
        body = {"field_name": names, "values": rows}
        return self.client.post("/v1/user/profiles", json=body, headers=headers)

    def picture(self, user_id: str, content: bytes, **headers: str) -> httpx2.Response:
        """Send an image to QuestionPro's endpoint, with the key in the query."""
        return self.client.post(
            f"/a/api/v2/users/{user_id}/images",
            params={"apiKey": self.secret},
            files={"file": ("photo", content)},
            headers=headers,
        )

    def steps(self, user_id: str, *samples: Any, **members: Any) -> httpx2.Response:
        """Send samples to Gerosense's v2.2 endpoint."""
        headers = {"Authorization": f"Bearer {self.secret}"}
        body = {"user_id": user_id, "data_type": "steps", "data": samples, **members}
        return self.client.post("/api/v2.2/samples", json=body, headers=headers)


def new_tenant(client: httpx2.Client, store: Store) -> Tenant:
    """A project that no one else uses, with a key for everything."""
    tenant = Tenant(client, store, f"test-{next(_numbers)}")
    store.add_project(tenant.project, clock.now())
    tenant.secret = tenant.key()
    return tenant


def sample(start: int = 0, **members: Any) -> dict[str, Any]:
    """A sound sample that starts so many minutes into a day; other members as given."""
    hour, minute = divmod(start, 60)
    return {
        "device_name": "iPhone",
        "device_version": "17.0.3",
        "start_date": f"2023-11-01T{hour:02}:{minute:02}:00Z",
        "end_date": f"2023-11-01T{hour:02}:{minute:02}:30Z",
        "value": start + 1,
        "unit": "count",
    } | members
