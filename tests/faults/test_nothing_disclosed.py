"""Keys and user ids are used everywhere, and then looked for where neither may be."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contract.pictures import encoded
from uptake.testing.live import LiveServer

USER = "471147114711"
NAMED = "ünäme-of-a-user"
"""Two users: one that every endpoint accepts, and one with a name."""

WRONG = "up_wr0ngwr0ngwr0ngwr0ngwr0ng"
SAMPLES = [
    {"device_name": "d", "start_date": f"2026-01-31T08:0{i}:00Z", "unit": "count", "value": value}
    for i, value in enumerate((5, 5, -5))
]


@dataclass
class Seen:
    """What was used, and what was written of it.

    Attributes:
        keys: every key that was used, valid or not.
        statuses: how requests were answered.
        shown: what commands wrote, by what they do.
        titles: how processes were called.
        metrics: the server's numbers.
        client: what sends requests.
    """

    server: LiveServer
    folder: Path
    keys: list[str] = field(default_factory=lambda: [WRONG])
    statuses: list[int] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    titles: str = ""
    metrics: str = ""
    client: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=60))

    def key(self, *scopes: str, **options: str) -> str:
        """A new key."""
        self.keys.append(self.server.create_key(*scopes, **options))
        return self.keys[-1]

    def send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Send a request."""
        answer = self.client.request(method, self.server.url + path, **options)
        self.statuses.append(answer.status_code)
        return answer

    def run(self, *arguments: object, key: str = "") -> None:
        """Run a command in the folder."""
        command = [sys.executable, "-m", "uptake", *map(str, arguments)]
        environment = os.environ | ({"UPTAKE_KEY": key} if key else {})
        ran = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, check=False
        )
        self.shown[" ".join(map(str, arguments[:2]))] = (ran.stdout + ran.stderr).decode()


def _upload(seen: Seen, key: str, user: str, *, good: bool) -> None:
    """Send to each endpoint with this key, in each place where a key may be."""
    bearer = {"Authorization": f"Bearer {key}"}
    value = "x" if good else "x" * 200
    rows = {"field_name": ["user_id", "a"], "values": [[user, value]]}
    samples = {"user_id": user, "data_type": "steps", "data": SAMPLES if good else []}
    document = {"user": {"userLabel": user}, "data": {} if good else 5}
    picture = encoded("PNG", 2, 2) if good else user.encode() + key.encode()
    files = {"file": (f"{user}.png", picture, "image/png")}
    images = f"/a/api/v2/users/{user}/images"
    seen.send("POST", "/v1/user/profiles", json=rows, headers=bearer)
    seen.send("POST", "/api/v2.2/samples", json=samples, headers=bearer)
    seen.send("POST", "/api/v1.1/samples", json=samples, headers=bearer)
    seen.send("POST", "/v1/user-data/diary", json=document, headers={"x-api-key": key})
    seen.send("POST", images, files=files, params={"apiKey": key})
    seen.send("POST", images, files=files, headers={"api-key": key})
    seen.send("POST", f"{images}/nowhere?apiKey={key}")
    seen.send("POST", f"/v1/user-data/{user}{key}", json=document, headers={"x-api-key": key})
    odd = {"X-Request-Id": f"{user} {key}".encode(), "x-api-key": key, **bearer}
    seen.send("PUT", f"/v1/user/profiles?apiKey={key}&user={user}", headers=odd)


def _read(seen: Seen, key: str, user: str) -> None:
    """Ask about a user in every way, and have everything of them replayed and erased."""
    headers = {"Authorization": f"Bearer {key}"}
    paths = ["", "/samples?metric=steps", "/images", "/sync?metric=steps", "/archive", "/nowhere"]
    for path in paths:
        seen.send("GET", f"/uptake/v1/users/{user}{path}", headers=headers)
    seen.send("GET", f"/uptake/v1/rejections?user={user}", headers=headers)
    seen.send("GET", f"/uptake/v1/rejections?cursor={user}{key}", headers=headers)
    seen.send("POST", f"/uptake/v1/rejections/replay?user={user}", headers=headers)
    seen.send("GET", f"/uptake/v1/exports/profiles?user={user}", headers=headers)
    seen.send("GET", f"/uptake/v1/exports/profiles?cursor={user}", headers=headers)
    seen.send("GET", f"/uptake/v1/users/{user}?apiKey={key}")


def _commands(seen: Seen, key: str) -> None:
    """Use the command line for both."""
    data = ["--data-dir", seen.server.data_dir]
    rows = [{"user_id": user, "plan": "x" * size} for user in (USER, NAMED) for size in (1, 200)]
    (seen.folder / "rows.ndjson").write_text("\n".join(map(json.dumps, rows)))
    (seen.folder / "key.txt").write_text(f"{key}\n")
    to = ["--to", seen.server.url, "--ledger", "sent.ledger"]
    seen.run("send", "profiles", "rows.ndjson", *to, key=key)
    seen.run("send", "images", "rows.ndjson", *to, key=f"{key}\n{key}")
    seen.run("send", "documents", "rows.ndjson", "--type", "diary", *to, "--key-file", "key.txt")
    seen.run("send", "status", "--ledger", "sent.ledger")
    seen.run("rejections", "replay", *data)
    seen.run("backup", "saved", *data)
    seen.run("restore", "saved", "--data-dir", "restored")
    seen.run("keys", "list", *data)


def _break(seen: Seen, key: str, user: str) -> None:
    """Have reading and writing fail on the values themselves, as after damage."""
    database = sqlite3.connect(seen.server.data_dir / "uptake.db")
    database.execute("UPDATE users SET first_seen = ? WHERE user_id = ?", (f"{user} {key}", user))
    database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON documents BEGIN SELECT RAISE(ABORT, 'odd'); END"
    )
    database.commit()
    database.close()
    headers = {"Authorization": f"Bearer {key}"}
    assert seen.send("GET", f"/uptake/v1/users/{user}", headers=headers).status_code == 500
    document = {"user": {"userLabel": user}, "data": {"key": key}}
    seen.send("POST", "/v1/user-data/diary", json=document, headers={"x-api-key": key})


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Both were used everywhere."""
    folder = tmp_path_factory.mktemp("seen")
    server = LiveServer(folder / "data", options=["--workers", "2"])
    server.start()
    (folder / "work").mkdir()
    found = Seen(server, folder / "work")
    try:
        server.create_type("diary")
        every = found.key(
            *("user-data:write", "profiles:write", "images:write", "samples:write"),
            *("data:read", "data:erase", "admin"),
        )
        bound = found.key("samples:write", "profiles:write", user=USER)
        throttled = found.key("samples:write", "data:read", rate="2/60s")
        for user in (USER, NAMED):
            for key in (every, bound, throttled, WRONG, found.key("data:read")):
                for good in (True, False):
                    _upload(found, key, user, good=good)
                _read(found, key, user)
        _commands(found, every)
        headers = {"Authorization": f"Bearer {every}"}
        found.send("DELETE", f"/uptake/v1/users/{NAMED}", headers=headers)
        _upload(found, every, NAMED, good=True)
        _break(found, every, USER)
        found.metrics = httpx2.get(f"{server.url}/metrics").text
        found.titles = _titles(server)
        assert server.stop() == 0
        yield found
    finally:
        found.client.close()
        server.kill()


def _titles(server: LiveServer) -> str:
    """The command lines of the server's processes, and the names of their threads."""
    assert server.process is not None
    session = os.getsid(server.process.pid)
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == session:
                names = [path.read_bytes() for path in folder.glob("task/*/comm")]
                found += [(folder / "cmdline").read_bytes(), *names]
        except OSError:
            continue
    return b" ".join(found).decode()


PLACES: dict[str, Callable[[Seen], str]] = {
    "log": lambda seen: seen.server.log,
    "metrics": lambda seen: seen.metrics,
    "process titles": lambda seen: seen.titles,
    "manifest": lambda seen: (seen.folder / "saved" / "manifest.json").read_text(),
}


def test_everything_was_tried(seen: Seen) -> None:
    """Requests of every outcome, and commands that did what they should."""
    wanted = {200, 207, 400, 401, 403, 404, 405, 422, 429, 500, 503}
    assert wanted <= set(seen.statuses)
    assert "uptake_requests_total" in seen.metrics
    assert "serve" in seen.titles
    for event in ("request failed", "commit failed"):
        assert f'"event":"{event}"' in seen.server.log
    assert "rows and" in seen.shown["backup saved"]


@pytest.mark.parametrize("place", PLACES)
def test_neither_keys_nor_users_are_there(seen: Seen, place: str) -> None:
    """In no form in which they were sent."""
    text = PLACES[place](seen)
    assert text
    digests = [one for key in seen.keys for one in (key, key.removeprefix("up_"))]
    users = [USER, NAMED, "name-of-a-user", r"\u00fcn\u00e4me", "%C3%BCn%C3%A4me"]
    assert [one for one in (*digests, *users) if one in text] == []


def test_no_command_shows_a_key(seen: Seen) -> None:
    """Except the command that creates it."""
    shown = "".join(seen.shown.values())
    assert [key for key in seen.keys if key in shown] == []


def test_nothing_that_is_stored_has_a_key(seen: Seen) -> None:
    """Neither a database, a backup nor a ledger, except in the data of users."""
    assert (seen.folder / "sent.ledger").exists()
    sent_as_data = {"rejected", "uptake.db"}
    files = [
        path
        for path in seen.folder.parent.rglob("*")
        if path.is_file() and path.name != "key.txt" and not sent_as_data & set(path.parts)
    ]
    assert len(files) > 20
    found = [
        (path.name, key)
        for path in files
        for content in [path.read_bytes()]
        for key in seen.keys
        if key.encode() in content
    ]
    assert found == []
