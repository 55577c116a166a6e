"""The how-to's store, added to a copy of the package as the how-to describes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

import uptake
from uptake.testing.live import serving
from uptake.testing.postgres import Postgres

from .examples import ROOT

FOLDER = ROOT / "docs" / "how-to" / "add-a-store"
CHOSEN = "killed or kill or reach or taken or numbered or mixture or stays_away"
"""Some of the suite's tests, from several of its parts; all of them pass, but take as long as for
the store that this one is made of."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where a copy of the package is, with the module and the line."""
    root = tmp_path_factory.mktemp("schemas")
    shutil.copytree(Path(uptake.__file__).parent, root / "uptake")
    shutil.copy(FOLDER / "schemas.py", root / "uptake" / "store")
    wiring = root / "uptake" / "wiring.py"
    text = wiring.read_text()
    line = '    "schemas": BackEnd("uptake.store.schemas"),\n'
    wiring.write_text(text.replace("BACK_ENDS = {\n", "BACK_ENDS = {\n" + line))
    return str(root)


def test_it_passes_the_suite(path: str) -> None:
    """The subclass of the how-to, unchanged."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-k", CHOSEN]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", str(FOLDER / "test_schemas.py")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " failed" not in done.stdout
    assert int(done.stdout.split(" passed")[0].split()[-1]) > 20


def test_servers_of_two_schemas_share_a_database(
    path: str, postgresql: Postgres, tmp_path: Path
) -> None:
    """And nothing of what each keeps."""
    address = postgresql.create("schemas").replace("postgresql:", "schemas:")
    for name, expected in (("one", 404), ("two", 404), ("one", 200)):
        with serving(tmp_path / name, database=f"{address}#{name}", PYTHONPATH=path) as server:
            # By the command, because this process does not know the back end.
            scopes = ("--scope", "profiles:write", "--scope", "data:read")
            key = server.command("keys", "create", *scopes)["key"]
            bearer = {"Authorization": f"Bearer {key}"}
            user = f"{server.url}/uptake/v1/users/{'42'}"
            assert httpx2.get(user, headers=bearer).status_code == expected
            body = {"field_name": ["user_id", "plan"], "values": [["42", name]]}
            sent = httpx2.post(f"{server.url}/v1/user/profiles", json=body, headers=bearer)
            assert sent.status_code == 200
            assert httpx2.get(user, headers=bearer).json()["attributes"] == {"plan": name}


def test_the_how_to_names_every_file() -> None:
    """The page has links to all new files, and their number."""
    page = (ROOT / "docs" / "how-to" / "add-a-store.md").read_text()
    files = [file.name for file in FOLDER.glob("*.py")]
    assert len(files) == 2
    assert "two new files and one line" in " ".join(page.split())
    for name in files:
        assert f"(add-a-store/{name})" in page
