"""The how-to's made-up vendor, added to a copy of the package as the how-to describes."""

import shutil
from collections.abc import Iterator

import httpx2
import pytest

from uptake.formats.vectors import load
from uptake.testing.live import LiveServer, serving

from .package_copy import HOW_TO, PackageCopy

FOLDER = HOW_TO / "add-a-format" / "stepwise"
PATH = "/stepwise/v3/walks"
WALKS = [
    {"begin": "2026-01-31T08:00:00+01:00", "end": "2026-01-31T08:20:00+01:00", "steps": 1900},
    {"begin": "2026-01-31T18:00:00+01:00", "end": "2026-01-31T18:05:00+01:00", "steps": 420},
]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> PackageCopy:
    """A copy of the package with the folder and the line."""
    package = PackageCopy(tmp_path_factory.mktemp("stepwise"))
    shutil.copytree(FOLDER, package.package / "formats" / "stepwise")
    registry = package.package / "formats" / "registry.py"
    line = '    "gerosense",\n'
    registry.write_text(registry.read_text().replace(line, f'{line}    "stepwise",\n'))
    return package


@pytest.fixture(scope="module")
def server(package: PackageCopy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of the copy."""
    data = tmp_path_factory.mktemp("data")
    with serving(data, PYTHONPATH=str(package.source)) as server:
        yield server


@pytest.fixture(scope="module")
def key(server: LiveServer) -> str:
    """A key with the vendor's scope."""
    return server.create_key("walks:write", "data:read")


def post(server: LiveServer, key: str, **content: object) -> httpx2.Response:
    """Send walks."""
    return httpx2.post(server.url + PATH, json=content, headers={"x-stepwise-token": key})


def test_walks_are_stored_as_samples(server: LiveServer, key: str) -> None:
    """The answer has the vendor's form, and the read API returns the samples."""
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


def test_errors_have_the_vendors_envelope(server: LiveServer, key: str) -> None:
    """Rejected bodies, unknown keys, and unknown addresses below the prefix."""
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


def test_its_vectors_hold(package: PackageCopy, server: LiveServer, key: str) -> None:
    """Against the decoder and over HTTP."""
    package.check_vectors("stepwise")
    for vector in load(FOLDER / "vectors"):
        answer = post(server, key, **vector.request.body)
        assert answer.status_code == vector.reply.status
        assert list(answer.json()) == list(vector.reply.body)


def test_the_reference_pages_describe_it(package: PackageCopy) -> None:
    """Its operation, its errors and its scope."""
    assert f"\n## Stepwise: `POST {PATH}`\n" in package.reference("endpoints.md")
    assert "\n## Stepwise: below `/stepwise`\n" in package.reference("errors.md")
    assert "\n- `walks:write`\n" in package.reference("cli.md")


def test_a_vendor_is_one_folder_and_one_line(package: PackageCopy) -> None:
    """Nothing else of the package changes."""
    others = {name for name in package.changes() if not name.startswith("formats/stepwise/")}
    assert others == {"formats/registry.py"}


def test_the_how_to_names_every_file() -> None:
    """The page links to each of them."""
    page = (HOW_TO / "add-a-format.md").read_text()
    for file in FOLDER.rglob("*"):
        if file.suffix in {".py", ".json"}:
            assert f"({file.relative_to(FOLDER.parents[1])})" in page
