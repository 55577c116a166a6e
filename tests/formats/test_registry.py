"""Formats of other packages, registered by the entry point `uptake.formats`."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from uptake.formats import UnusableFormat
from uptake.formats.base import Format
from uptake.formats.registry import FORMATS, check
from uptake.testing.live import serving

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "how-to" / "add-a-format" / "stepwise"
WALK = {"begin": "2026-01-31T08:00:00Z", "end": "2026-01-31T08:20:00Z", "steps": 1900}


def install(folder: Path, target: str = "walks:FORMAT") -> None:
    """Install a package with the how-to's vendor into a folder, as pip does."""
    shutil.copytree(EXAMPLE, folder / "walks")
    for path in (folder / "walks").glob("*.py"):
        path.write_text(path.read_text().replace("uptake.formats.stepwise", "walks"))
    metadata = folder / "walks-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: walks\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[uptake.formats]\nwalks = {target}\n")


def serve(folder: Path) -> subprocess.CompletedProcess[str]:
    """Start a server that is expected not to start."""
    return subprocess.run(
        [sys.executable, "-m", "uptake", "serve", "--data-dir", "data", "--port", "0"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_installed_format_is_served_and_documented(tmp_path: Path) -> None:
    """Its uploads are stored, and its operation is part of the OpenAPI document."""
    install(tmp_path)
    with serving(tmp_path / "data", PYTHONPATH=str(tmp_path)) as server:
        key = server.create_key("walks:write", "data:read")
        answer = httpx2.post(
            f"{server.url}/stepwise/v3/walks",
            json={"member": "42", "band": "Band 2", "walks": [WALK]},
            headers={"x-stepwise-token": key},
        )
        assert (answer.status_code, answer.json()) == (200, {"stored": 1})
        samples = httpx2.get(
            f"{server.url}/uptake/v1/users/42/samples?metric=steps",
            headers={"Authorization": f"Bearer {key}"},
        ).json()["samples"]
        assert [sample["value"] for sample in samples] == [1900]
        document = httpx2.get(f"{server.url}/openapi.json").json()
    operation = document["paths"]["/stepwise/v3/walks"]["post"]
    assert (operation["operationId"], operation["tags"]) == ("stepwise", ["Stepwise"])


def test_a_format_that_cannot_be_loaded_is_one_line_of_error(tmp_path: Path) -> None:
    """With the entry point and the reason."""
    install(tmp_path, "walks:MISSING")
    failed = serve(tmp_path)
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert "format 'walks': walks:MISSING cannot be loaded: AttributeError" in line


def test_an_entry_point_that_is_no_format_is_one_line_of_error(tmp_path: Path) -> None:
    """An import that succeeds is not enough."""
    install(tmp_path, "walks.wire:MAX_STEPS")
    failed = serve(tmp_path)
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert "format 'walks': walks.wire:MAX_STEPS is not a Format" in line


def changed(form: Format, *, prefix: str = "/other", name: str = "other") -> Format:
    """A format with the operations of another one, at other addresses."""
    (first, *_) = form.operations
    path = first.path.replace(form.prefixes[0], prefix, 1)
    return replace(
        form,
        package="other",
        prefixes=(prefix,),
        operations=(replace(first, name=name, path=path),),
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (FORMATS[0], "2 formats have the format 'thymia'"),
        (changed(FORMATS[0], name="thymia"), "2 formats have the operation 'thymia'"),
        (changed(FORMATS[0], prefix="/v1"), "2 formats have the prefix '/v1'"),
        (changed(FORMATS[0], prefix="/uptake"), "/uptake is a path of the server"),
        (changed(FORMATS[0], prefix="/images/x"), "/images/x is a path of the server"),
        (
            replace(changed(FORMATS[0]), prefixes=("/elsewhere",)),
            "/other/user-data/{upload_type} is not below a prefix of the format",
        ),
        (
            replace(
                changed(FORMATS[0]),
                prefixes=("/v1/x", "/v1/user-data"),
                operations=(replace(FORMATS[0].operations[0], path="/v1/user-data/{x}", name="x"),),
            ),
            "2 formats have the POST /v1/user-data/{}",
        ),
    ],
)
def test_formats_that_clash_are_rejected(other: Format, message: str) -> None:
    """The message names what they have in common."""
    with pytest.raises(UnusableFormat) as failed:
        check([*FORMATS, other])
    assert message in str(failed.value)
