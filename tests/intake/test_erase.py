"""After an erasure nothing of the user is in any byte that the server stores.

Everything is sent that can be stored or rejected, then the whole data folder and, on PostgreSQL, a
dump of the database are searched: a table or a file that comes to be is searched as well.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from contract.pictures import PNG
from contract.tenant import EVERYTHING, Tenant, new_tenant, sample
from contract.uploads import FORM, form
from uptake.settings import Settings
from uptake.testing.live import LiveServer, serving
from uptake.testing.postgres import Postgres
from uptake.wiring import open_store

LARGE = 300_000
"""Bytes of a body that goes to the blob store rather than into a row."""

SCRUB_SECONDS = 60.0
"""How long to wait for what removes copies of deleted rows beside the requests."""

OTHER = "5550001112"
"""A user who is named in the same tables, and stays."""


@dataclass
class Store:
    """A server with files that the test can search."""

    server: LiveServer
    postgres: Postgres | None = None

    def bytes(self) -> bytes:
        """All that is stored, and the names of all files."""
        saved = [] if self.postgres is None else [self.postgres.dump(self.server.database)]
        for path in self.server.data_dir.rglob("*"):
            saved.append(str(path).encode())
            if path.is_file():
                saved.append(path.read_bytes())
        return b"\0".join(saved)

    def holds(self, *texts: str) -> list[str]:
        """Those of some texts that are anywhere, as they are or in hexadecimal."""
        saved = self.bytes()
        return [t for t in texts if t.encode() in saved or t.encode().hex().encode() in saved]

    def blobs_of(self, owners: list[str]) -> list[str]:
        """The names of blobs of these users."""
        names = [path.name for path in (self.server.data_dir / "blobs").rglob("*-*")]
        return [name for name in names if name.split("-")[0] in owners]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def saved(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A server over a file, and one over PostgreSQL with its blobs in a folder."""
    data_dir = tmp_path_factory.mktemp("erased") / "data"
    if request.param == "sqlite":
        with serving(data_dir) as server:
            yield Store(server)
        return
    postgresql: Postgres = request.getfixturevalue("postgresql")
    with serving(data_dir, database=postgresql.create("erased-bytes")) as server:
        yield Store(server, postgresql)


@pytest.fixture
def tenant(saved: Store) -> Iterator[Tenant]:
    """A project on that server."""
    store = open_store(Settings(data_dir=saved.server.data_dir, database=saved.server.database))
    with httpx2.Client(base_url=saved.server.url, timeout=60) as client:
        made = new_tenant(client, store)
        made.type("mood", {"type": "object", "properties": {"mood": {"type": "integer"}}})
        made.secret = made.key(*EVERYTHING, "data:erase", "admin")
        yield made
    store.close()


Send = Callable[[Tenant, str, str], httpx2.Response]


def _thymia(body: Any, type_name: str = "mood", **headers: str) -> Send:
    """Send what a function of user and marker makes to thymia's endpoint."""

    def send(tenant: Tenant, user: str, marker: str) -> httpx2.Response:
        made = body(user, marker)
        content = made if isinstance(made, bytes) else json.dumps(made).encode()
        headers_ = {"x-api-key": tenant.secret, **headers}
        return tenant.client.post(f"/v1/user-data/{type_name}", content=content, headers=headers_)

    return send


def _posted(path: str, body: Any, *, user_of_key: bool = False) -> Send:
    """Send to an endpoint that takes a bearer key."""

    def send(tenant: Tenant, user: str, marker: str) -> httpx2.Response:
        secret = tenant.key("samples:write", user=user) if user_of_key else tenant.secret
        made = body(user, marker)
        content = made if isinstance(made, bytes) else json.dumps(made).encode()
        return tenant.client.post(
            path, content=content, headers={"Authorization": f"Bearer {secret}"}
        )

    return send


def _image(content: Callable[[str], bytes], user_id: str = "{}", media: str = FORM) -> Send:
    """Send to QuestionPro's endpoint."""

    def send(tenant: Tenant, user: str, marker: str) -> httpx2.Response:
        return tenant.client.post(
            f"/a/api/v2/users/{user_id.format(user)}/images",
            params={"apiKey": tenant.secret},
            content=content(marker),
            headers={"Content-Type": media},
        )

    return send


def _table(body: Any) -> Send:
    return _posted("/v1/user/profiles", body)


def _samples(body: Any) -> Send:
    return _posted("/api/v2.2/samples", body)


def _bound(body: Any) -> Send:
    return _posted("/api/v1.1/samples", body, user_of_key=True)


def _upload(user: Any, data: Any) -> Any:
    return {"user": {"userLabel": user}, "data": data}


def _rows(*rows: list[Any], names: Any = ("user_id", "home")) -> Any:
    return {"field_name": names, "values": rows}


def _stays(marker: str) -> str:
    """What another user has in the same request."""
    return "stays-" + hashlib.sha256(marker.encode()).hexdigest()[:16]


ACCEPTED: dict[str, Send] = {
    "document": _thymia(lambda u, m: _upload(u, {m: u})),
    "document with a key": _thymia(lambda u, m: _upload(u, {m: u}), **{"Idempotency-Key": "once"}),
    "attributes": _table(lambda u, m: _rows([u, m])),
    "an attribute's name": _table(lambda u, m: _rows([u, m], names=["user_id", m])),
    "image": _image(lambda m: form(PNG + m.encode())),
}
REJECTED: dict[str, Send] = {
    "thymia: unknown type": _thymia(lambda u, m: _upload(u, {"x": m}), "nothing"),
    "thymia: schema": _thymia(lambda u, m: _upload(u, {"mood": m})),
    "thymia: no data": _thymia(lambda u, m: {"user": {"userLabel": u}, "note": m}),
    "thymia: a number": _thymia(lambda u, m: _upload(int(u), {"x": m})),
    "thymia: cut off": _thymia(lambda u, m: json.dumps(_upload(u, {"x": m})).encode()[:-1]),
    "thymia: not UTF-8": _thymia(
        lambda u, m: b'{"user":{"userLabel":"%b"},"data":{"%b":"\xff"}}' % (u.encode(), m.encode())
    ),
    "thymia: large": _thymia(lambda u, m: _upload(u, [m * (LARGE // len(m))])),
    "thymia: a large document": _thymia(lambda u, m: _upload(u, {"mood": m * (LARGE // len(m))})),
    "thymia: twice": _thymia(
        lambda u, m: (
            b'{"user":{"userLabel":"%b"},"user":{"userLabel":"5"},"x":"%b"}'
            % (u.encode(), m.encode())
        )
    ),
    "ptengine: empty": _table(lambda u, m: _rows([u, None], [u, m])),
    "ptengine: long": _table(lambda u, m: _rows([u, m * 20])),
    "ptengine: last column": _table(
        lambda u, m: _rows([m, u], [None, u], names=["home", "user_id"])
    ),
    "ptengine: short": _table(lambda u, m: _rows([u], [u, m, m])),
    "ptengine: repeated name": _table(lambda u, m: _rows([u, m, m], names=["user_id", "a", "a"])),
    "ptengine: too many": _table(lambda u, m: _rows(*[[u, m]] * 101)),
    "ptengine: cut off": _table(lambda u, m: json.dumps(_rows([u, m])).encode()[:-3]),
    "ptengine: others": _table(lambda u, m: _rows([u, m], [OTHER, _stays(m)], [u, None])),
    "ptengine: others, cut off": _table(
        lambda u, m: json.dumps(_rows([OTHER, _stays(m)], [u, m])).encode()[:-3]
    ),
    "ptengine: large, others": _table(
        lambda u, m: _rows([u, m * (LARGE // len(m))], [OTHER, _stays(m)])
    ),
    "questionpro: no image": _image(lambda m: form(m.encode())),
    "questionpro: large": _image(lambda m: form(m.encode() * (LARGE // len(m)))),
    "questionpro: no form": _image(
        lambda m: json.dumps({"file": m}).encode(), media="application/json"
    ),
    "questionpro: no integer": _image(lambda m: form(m.encode()), "x{}"),
    "gerosense: samples": _samples(
        lambda u, m: {"user_id": u, "data_type": "steps", "data": [sample(0, unit=m)] * 3}
    ),
    "gerosense: type": _samples(lambda u, m: {"user_id": u, "data_type": m, "data": []}),
    "gerosense: a number": _samples(
        lambda u, m: {"user_id": int(u), "data_type": "steps", "data": [m] * 3}
    ),
    "gerosense: cut off": _samples(lambda u, m: json.dumps({"user_id": u, "x": m}).encode()[:-1]),
    "gerosense v1.1: type": _bound(lambda _, m: {"data_type": m, "data": []}),
    "gerosense v1.1: cut off": _bound(lambda _, m: b'{"data_type":"%b"' % m.encode()),
}


def _named(saved: Store, kind: str) -> tuple[str, str]:
    """A user and a marker that are in no other test."""
    number = int.from_bytes(hashlib.sha256(f"{id(saved)} {kind}".encode()).digest()[:5])
    user = f"9{number:013d}"
    return ("x" + user if kind == "questionpro: no integer" else user), f"marker-of-{user}"


def test_nothing_of_what_was_stored_or_rejected_is_left(tenant: Tenant, saved: Store) -> None:
    """Of accepted and of rejected uploads of every kind; rows of others stay."""
    users: dict[str, tuple[str, str]] = {}
    for kind, send in {**ACCEPTED, **REJECTED}.items():
        user, marker = users[kind] = _named(saved, kind)
        answer = send(tenant, user.removeprefix("x"), marker)
        assert (answer.status_code == 200) == (kind in ACCEPTED), (kind, answer.text)
        listed = tenant.get("/rejections", params={"user": user}).json()["rejections"]
        assert bool(listed) == (kind in REJECTED), kind
        assert all(user in one["user_ids"] for one in listed), kind
    # Of an image, what is behind the picture is not stored.
    present = saved.holds(*(marker for kind, (_, marker) in users.items() if kind != "image"))
    assert len(present) == len(users) - 1
    owners = [tenant.store.user_hash(user)[:40] for user, _ in users.values()]
    assert saved.blobs_of(owners)
    for user, _ in users.values():
        path = f"/uptake/v1/users/{user}"
        erased = tenant.client.delete(path, headers={"Authorization": f"Bearer {tenant.secret}"})
        assert erased.json()["finished_at"] is not None
    hashes = [hashlib.sha256(user.encode()).hexdigest()[:32] for user, _ in users.values()]
    gone = [text for pair in users.values() for text in pair]
    until = time.monotonic() + SCRUB_SECONDS
    while saved.holds(*gone, *hashes) and time.monotonic() < until:
        time.sleep(0.5)
    assert saved.holds(*gone, *hashes) == []
    assert saved.blobs_of(owners) == []
    stay = [_stays(marker) for kind, (_, marker) in users.items() if "others" in kind]
    assert saved.holds(*stay) == stay
    assert [one["user_ids"] for one in tenant.get("/rejections").json()["rejections"]] == [
        [OTHER]
    ] * len(stay)


def test_nothing_of_a_deleted_record_is_left(tenant: Tenant, saved: Store) -> None:
    """A document, an image, and samples of a batch of which others stay, folded or not."""
    user, document = _named(saved, "deleted record")
    upload_id = tenant.document(user, {"mood": 1, "note": document}).json()["uploadId"]
    number = tenant.picture(user, PNG).json()["response"]["imageID"]
    for at, name in enumerate(("folded", "single")):
        samples = [sample(at, device_name=f"{name}-{n}-{document}") for n in range(3)]
        samples[0] = sample(at + 10, device_name=f"{name}-0-{document}")
        assert tenant.steps(user, *samples).status_code == 200
        if name == "folded":
            assert tenant.store.fold(tenant.project, 1, lambda: False).batches
    left = [f"{name}-0-{document}" for name in ("folded", "single")]
    gone = [f"{name}-{n}-{document}" for name in ("folded", "single") for n in (1, 2)]
    assert saved.holds(document) == [document]
    assert saved.blobs_of([tenant.store.user_hash(user)[:40]])
    headers = {"Authorization": f"Bearer {tenant.secret}"}
    when = "metric=steps&from=2023-11-01T00:00:00Z&to=2023-11-01T00:10:00Z"
    for path in (
        f"documents/{upload_id}",
        f"users/{user}/images/{number}",
        f"users/{user}/samples?{when}",
    ):
        answer = tenant.client.delete(f"/uptake/v1/{path}", headers=headers)
        assert answer.status_code in {200, 204}, answer.text
    assert [one["device_name"] for one in tenant.samples(user)] == left
    note = f'"note":"{document}"'
    until = time.monotonic() + SCRUB_SECONDS
    while saved.holds(*gone, note) and time.monotonic() < until:
        time.sleep(0.5)
    assert saved.holds(*gone, note) == []
    assert saved.blobs_of([tenant.store.user_hash(user)[:40]]) == []
