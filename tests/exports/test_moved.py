"""A project that is exported over HTTP and sent into an empty one is the same project there."""

import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest

from uptake.cli import run
from uptake.testing.live import LiveServer
from uptake.testing.store.making import unique

from .opening import Rows, parsed

EXAMPLES = Path(__file__).parents[2] / "examples"
Ask = Callable[[str], httpx2.Response]
Send = Callable[..., None]


def new_project(live: LiveServer) -> str:
    """An empty project that takes documents; a key of it."""
    project = unique("project")
    live.command("projects", "create", project)
    live.create_type("diary", project)
    return live.create_key(project=project)


def asker(live: LiveServer, key: str) -> Ask:
    """Asks a project's read API."""

    def ask(path: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx2.get(f"{live.url}/uptake/v1{path}", headers=headers, trust_env=False)
        assert answer.status_code == 200
        return answer

    return ask


def sender(live: LiveServer, key: str, ledger: Path, patch: pytest.MonkeyPatch) -> Send:
    """Sends files into a project, all that is in them."""

    def send(kind: str, path: Path, *options: str) -> None:
        patch.setenv("UPTAKE_KEY", key)
        arguments = ["send", kind, str(path), "--to", live.url, "--ledger", str(ledger), *options]
        assert run(arguments) == 0

    return send


def everything(ask: Ask) -> dict[str, dict[str, Any]]:
    """What the read API returns for each user, without ids and times of uploads."""
    return {user_id: _everything(ask, user_id) for user_id in users_of(ask)}


def _everything(ask: Ask, user_id: str) -> dict[str, Any]:
    user = ask(f"/users/{user_id}").json()
    images = ask(f"/users/{user_id}/images").json()["images"]
    return {
        "attributes": user["attributes"],
        "counted": [user["samples"], user["documents"], user["images"]],
        "samples": [
            ask(f"/users/{user_id}/samples?metric={metric}&limit=10000").json()
            for metric in user["samples"]
        ],
        "exported": ask(f"/exports/samples?form=csv&user={user_id}").text,
        "documents": document_rows(ask(f"/exports/documents?form=ndjson&user={user_id}")),
        "images": sorted(image["sha256"] for image in images),
    }


def document_rows(export: httpx2.Response) -> Rows:
    """Documents without ids and times, in an order of their own."""
    rows = [{name: row[name] for name in ("type", "data")} for row in parsed(export.content)]
    return sorted(rows, key=repr)


def users_of(ask: Ask) -> list[str]:
    """All users of a project, in order."""
    return [row["user_id"] for row in parsed(ask("/exports/users?form=ndjson").content)]


@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson"])
def test_an_exported_project_that_is_sent_again_is_equal(
    live: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Samples, attributes, documents and images of every user, in the read API."""
    first, second = new_project(live), new_project(live)
    send = sender(live, first, tmp_path / "first.ledger", monkeypatch)
    send("samples", EXAMPLES / "samples.ndjson")
    send("profiles", EXAMPLES / "profiles.csv")
    send("documents", EXAMPLES / "documents.ndjson", "--type", "diary")
    send("images", EXAMPLES / "images")
    ask = asker(live, first)

    again = sender(live, second, tmp_path / "second.ledger", monkeypatch)
    for kind, file, *options in (
        ("samples", f"samples.{form}"),
        ("profiles", f"profiles.{form}"),
        ("documents", "documents.ndjson", "--type", "diary"),
    ):
        wanted = "ndjson" if kind == "documents" else form
        (tmp_path / file).write_bytes(ask(f"/exports/{kind}?form={wanted}").content)
        again(kind, tmp_path / file, *options)
    for user_id in users_of(ask):
        archive = zipfile.ZipFile(BytesIO(ask(f"/users/{user_id}/archive").content))
        archive.extractall(tmp_path / user_id)
        if parsed(archive.read("images.ndjson")):
            images = tmp_path / user_id / "images.ndjson"
            again("images", images, "--user", user_id, "--map", "path=file")

    expected = everything(ask)
    assert sum(len(user["images"]) for user in expected.values()) == 4
    assert everything(asker(live, second)) == expected
