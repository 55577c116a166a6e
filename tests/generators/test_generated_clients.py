"""The OpenAPI document as programs read it: linters find no fault, and generated clients work."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from contract.pictures import PNG
from uptake.testing.live import ALL_WRITES, LiveServer, serving

HERE = Path(__file__).parent
BIN = Path(sys.prefix) / "bin"
INSTALLED = Path(sys.prefix) / "generators"
"""What `make test` installs by `package.json` and `requirements.txt` of this folder."""

SAMPLES = [[f"2026-03-01T10:0{minute}:00Z", 10, "watch"] for minute in range(3)]
READ = {
    "attributes": {"plan": "pro"},
    "document": {"mood": "calm"},
    "image": True,
    "images": [len(PNG)],
    "samples": SAMPLES,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the document of a server, the configurations, and what npm installed."""
    folder = tmp_path_factory.mktemp("generators")
    for file in HERE.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    (folder / "node_modules").symlink_to(INSTALLED / "node_modules")
    (folder / "picture.png").write_bytes(PNG)
    with serving(folder / "data") as live:
        (folder / "openapi.json").write_bytes(httpx2.get(f"{live.url}/openapi.json").content)
    return folder


def _run(folder: Path, *command: str | Path, **environment: str) -> str:
    """What a program prints; it must end with 0."""
    ran = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "NO_COLOR": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def _npm(folder: Path, program: str, *arguments: str) -> str:
    return _run(folder, "node", f"node_modules/.bin/{program}", *arguments)


def test_linters_find_nothing(project: Path) -> None:
    """Neither an error nor a warning."""
    assert "OK" in _run(project, "openapi-spec-validator", "openapi.json")
    spectral = ("lint", "openapi.json", "--fail-severity", "hint")
    assert "No results" in _npm(project, "spectral", *spectral)
    redocly = _npm(project, "redocly", "lint", "openapi.json", "--format", "summary")
    assert "Your API description is valid" in redocly
    assert "warning" not in redocly


def _read_with(program: list[str], folder: Path, live: LiveServer, **environment: str) -> None:
    key = live.create_key(*ALL_WRITES, "data:read")
    live.command("types", "add", "visit")
    printed = _run(folder, *program, live.url, key, "picture.png", **environment)
    assert json.loads(printed) == READ


def test_a_generated_python_client_reads_what_it_uploads(project: Path, tmp_path: Path) -> None:
    """By openapi-python-client, which understands every operation."""
    installed, client = INSTALLED / "python", tmp_path / "client"
    options = ["--path", "openapi.json", "--config", "openapi-python-client.yaml"]
    generate = ["python", "-m", "openapi_python_client", "generate", *options]
    printed = _run(project, *generate, "--output-path", client, PYTHONPATH=str(installed))
    assert "WARNING" not in printed
    with serving(tmp_path / "data") as live:
        _read_with(["python", "client.py"], project, live, PYTHONPATH=f"{installed}:{client}")


def test_a_generated_typescript_client_reads_what_it_uploads(project: Path, tmp_path: Path) -> None:
    """By @hey-api/openapi-ts; the program that uses it passes the strict type checker."""
    _npm(project, "openapi-ts", "--no-log-file")
    strict = "--noEmit --strict --skipLibCheck --allowImportingTsExtensions --target esnext"
    _npm(project, "tsc", *strict.split(), "--module", "nodenext", "client.ts")
    with serving(tmp_path / "data") as live:
        _read_with(["node", "client.ts"], project, live)
