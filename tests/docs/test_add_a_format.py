"""The how-to's made-up vendor, added to a copy of the package as the how-to says."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

import uptake
from uptake.formats.vectors import load
from uptake.testing.live import LiveServer, serving

from .examples import ROOT

FOLDER = ROOT / "docs" / "how-to" / "add-a-format" / "stepwise"
PATH = "/stepwise/v3/walks"
WALKS = [
    {"begin": "2026-01-31T08:00:00+01:00", "end": "2026-01-31T08:20:00+01:00", "steps": 1900},
    {"begin": "2026-01-31T18:00:00+01:00", "end": "2026-01-31T18:05:00+01:00", "steps": 420},
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of a copy of the package with the folder and the line."""
    root = tmp_path_factory.mktemp("stepwise")
    copy = root / "uptake"
    shutil.copytree(Path(uptake.__file__).parent, copy)
    shutil.copytree(FOLDER, copy / "formats" / "stepwise")
    registry = copy / "formats" / "registry.py"
    text = registry.read_text()
    text = text.replace("questionpro, thymia", "questionpro, stepwise, thymia")
    text = text.replace("    gerosense.FORMAT,\n", "    gerosense.FORMAT,\n    stepwise.FORMAT,\n")
    registry.write_text(text)
    with serving(root / "data", PYTHONPATH=str(root)) as server:
        yield server


def post(server: LiveServer, key: str, **content: object) -> httpx2.Response:
    """Send walks."""
    return httpx2.post(server.url + PATH, json=content, headers={"x-stepwise-token": key})


def test_walks_are_kept_as_samples(server: LiveServer) -> None:
    """Answered in the vendor's words, read back through the read API."""
    key = server.create_key()
    answer = post(server, key, member="42", band="Band 2", walks=WALKS)
    assert (answer.status_code, answer.json()) == (200, {"stored": 2})
    read = httpx2.get(
        f"{server.url}/uptake/v1/users/42/samples?metric=steps",
        headers={"Authorization": f"Bearer {key}"},
    )
    assert [(s["start_date"], s["value"]) for s in read.json()["samples"]] == [
        ("2026-01-31T08:00:00+01:00", 1900),
        ("2026-01-31T18:00:00+01:00", 420),
    ]


def test_failures_are_told_in_the_vendors_envelope(server: LiveServer) -> None:
    """What decode rejects, a missing key, an unknown address below the prefix."""
    key = server.create_key()
    backwards = [{"begin": WALKS[0]["end"], "end": WALKS[0]["begin"], "steps": 1}]
    rejected = post(server, key, member="43", band="Band 2", walks=backwards)
    assert (rejected.status_code, list(rejected.json())) == (400, ["problem"])
    unknown = post(server, "no-such-key", member="43", band="Band 2", walks=WALKS)
    assert (unknown.status_code, list(unknown.json())) == (401, ["problem"])
    nowhere = httpx2.post(f"{server.url}/stepwise/v9/walks")
    assert (nowhere.status_code, list(nowhere.json())) == (404, ["problem"])


def test_the_openapi_document_lists_it(server: LiveServer) -> None:
    """With the types of request and answers, and the header of the key."""
    document = httpx2.get(f"{server.url}/openapi.json").json()
    operation = document["paths"][PATH]["post"]
    assert operation["tags"] == ["Stepwise"]
    assert {"200", "400", "401", "413", "503"} <= set(operation["responses"])
    scheme = document["components"]["securitySchemes"]["x-stepwise-token"]
    assert scheme == {"type": "apiKey", "in": "header", "name": "x-stepwise-token"}


def test_its_vectors_hold(server: LiveServer) -> None:
    """The made-up vendor's own cases, at the decoder and over HTTP."""
    program = (
        "from uptake.formats import stepwise; from uptake.formats.vectors import vectors_of;"
        "from uptake.testing.vectors import check_decode;"
        "[check_decode(stepwise.FORMAT, vector) for vector in vectors_of(stepwise.FORMAT)]"
    )
    subprocess.run([sys.executable, "-c", program], env=server.environment, check=True)
    key = server.create_key()
    for vector in load(FOLDER / "vectors"):
        answer = post(server, key, **vector.request.body)
        assert answer.status_code == vector.reply.status
        assert list(answer.json()) == list(vector.reply.body)


def test_the_how_to_names_every_file() -> None:
    """A file that the page does not lead to would not be found."""
    page = (ROOT / "docs" / "how-to" / "add-a-format.md").read_text()
    for file in FOLDER.rglob("*"):
        if file.suffix in {".py", ".json"}:
            assert f"({file.relative_to(FOLDER.parents[1])})" in page
