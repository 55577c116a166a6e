"""The commands of the Dockerfile, run in a fresh environment of this machine.

Installing everything takes about a minute, so `make check` leaves this file out.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from uptake.testing.live import LiveServer

from .proxy import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
BUILD, FINAL = DOCKERFILE.split("\nFROM ")[1:]
INSTALLED = "/opt/uptake"
MAX_MEGABYTES = 500
"""Of the image without Python and Debian; 461 when this was written."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first stage leaves in `/opt/uptake`."""
    folder = tmp_path_factory.mktemp("image")
    source = folder / "source"
    source.mkdir()
    for line in re.findall(r"^(?:RUN|COPY) .*", BUILD, re.MULTILINE):
        kind, _, rest = line.partition(" ")
        if kind == "COPY":
            *names, target = rest.split()
            for name in names:
                _copy(ROOT / name, source / target / (name if target == "./" else ""))
            continue
        command = rest.replace(INSTALLED, str(folder / "uptake"))
        command = command.replace("python -m venv", f"{sys.executable} -m venv")
        # What was downloaded before is the same, and the image alone must not have it.
        command = command.replace("--no-cache-dir", "")
        subprocess.run(["sh", "-euc", command], cwd=source, check=True, capture_output=True)
    return folder / "uptake"


def _copy(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(path, target)


@pytest.mark.timeout(900)
def test_the_image_has_the_program_and_nothing_that_builds_it(image: Path) -> None:
    """No pip, no compiler of requirements, no test data of Faker; all modules are compiled."""
    (site,) = image.glob("lib/python*/site-packages")
    names = {path.name.lower() for path in site.iterdir()}
    assert {"uptake", "granian", "litestar"} <= names
    assert not names & {"pip", "faker", "polyfactory", "pytest", "mypy"}
    assert (site / "uptake" / "__pycache__").is_dir()
    size = sum(path.stat().st_size for path in image.rglob("*") if path.is_file())
    assert size >> 20 < MAX_MEGABYTES


@pytest.mark.timeout(900)
def test_the_image_serves_and_its_health_check_passes(image: Path, tmp_path: Path) -> None:
    """With the variables of the second stage, and a stop by SIGTERM."""
    (check,) = re.findall(r"CMD (\[\"python\".*\])$", FINAL, re.MULTILINE)
    (entry,) = re.findall(r"^ENTRYPOINT (\[.*\])$", FINAL, re.MULTILINE)
    assert f"PATH={INSTALLED}/bin:$PATH" in FINAL
    assert f"COPY --from=build {INSTALLED} {INSTALLED}" in FINAL
    environment = {"PATH": f"{image / 'bin'}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    (program,) = json.loads(entry)
    server = LiveServer(
        tmp_path / "data", program=(str(image / "bin" / program),), environment=environment
    )
    server.start()
    try:
        port = server.url.rpartition(":")[2]
        asked = subprocess.run(
            json.loads(check), env=environment | {"UPTAKE_PORT": port}, check=False
        )
        assert asked.returncode == 0
    finally:
        assert server.stop() == 0
