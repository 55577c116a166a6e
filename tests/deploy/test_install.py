"""What an installation of only some packages can do."""

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from uptake.testing.live import LiveServer, serving

from .proxy import ROOT


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Runs `uptake` with the packages of requirements-send.lock and no others.

    They are linked from this environment, which takes a second instead of a minute with pip.
    """
    folder = tmp_path_factory.mktemp("site-packages")
    for line in (ROOT / "requirements-send.lock").read_text().splitlines():
        name, version = line.split("==")
        installed = importlib.metadata.distribution(name)
        assert installed.version == version
        site = Path(str(installed.locate_file("")))
        tops = {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}
        for top in tops:
            (folder / top).symlink_to(site / top)
    path = [str(folder), str(ROOT / "src")]
    program = f"import sys; sys.path[:0] = {path}; from uptake.cli import main; main()"
    return [sys.executable, "-I", "-S", "-c", program]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One of its own, because the examples have users that other tests have too."""
    with serving(tmp_path_factory.mktemp("server") / "data") as server:
        server.command("types", "add", "check-in")
        yield server


def _run(
    sender: list[str], folder: Path, *arguments: object, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*sender, *map(str, arguments)],
        cwd=folder,
        env={"HOME": str(folder), **os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_only_the_packages_for_senders_are_there(sender: list[str], tmp_path: Path) -> None:
    """So that the tests below show something: the server's are missing, and reported."""
    done = _run(sender, tmp_path, "serve")
    assert done.returncode == 1
    assert "is not installed; install all packages of Uptake" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "uptake-data").exists()


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ("samples {}/samples.ndjson", 104),
        ("samples {}/samples.csv", 104),
        ("samples {}/samples.parquet", 104),
        ("samples {}/export.zip --user 10009", 85),
        ("profiles {}/profiles.csv", 4),
        ("documents {}/documents.ndjson --type check-in", 6),
        ("images {}/images", 4),
    ],
)
def test_every_kind_of_file_can_be_sent(
    sender: list[str], server: LiveServer, tmp_path: Path, arguments: str, count: int
) -> None:
    """With the acknowledgement of a server, and the counts on standard output."""
    sent = arguments.format(ROOT / "examples").split()
    to = ("--to", server.url, "--ledger", "ledger")
    done = _run(sender, tmp_path, "send", *sent, *to, UPTAKE_KEY=server.create_key())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{count} read\n{count} acknowledged now\n")
