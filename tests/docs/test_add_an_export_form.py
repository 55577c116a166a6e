"""The form of the how-to, added to a copy of the package as the page describes."""

import filecmp
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

import uptake
from uptake.testing.live import LiveServer, serving

from .examples import ROOT

PACKAGE = Path(uptake.__file__).parent
PAGE = ROOT / "docs" / "how-to" / "add-an-export-form.md"
MAX_FILES = 3
SAMPLES = [
    {"device_name": "A\tB", "start_date": f"2026-01-31T0{i}:00:00+01:00", "value": 10 + i}
    for i in range(3)
]
LINES = [
    "user_id\tmetric\tdevice_name\tdevice_version\tstart_date\tend_date\tvalue\tunit\tstart_utc\tend_utc",
    *(
        f"42\tsteps\tA B\t\t{sample['start_date']}\t\t{sample['value']}.0\tcount\t"
        f"{start}:00:00.000000Z\t"
        for sample, start in zip(
            SAMPLES, ("2026-01-30T23", "2026-01-31T00", "2026-01-31T01"), strict=True
        )
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of the copy, with three samples."""
    root = tmp_path_factory.mktemp("form")
    copy = root / "uptake"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PAGE.with_suffix("") / "tsv.py", copy / "exports" / "tsv.py")
    _, name, entry = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    forms = copy / "exports" / "forms.py"
    text = re.sub(r"FormName = .*\n", name, forms.read_text("utf-8"), count=1)
    begin, end = text.split("FORMS: dict[FormName, Form] = {\n")
    forms.write_text(f"{begin}FORMS: dict[FormName, Form] = {{\n{entry}{end}", "utf-8")
    with serving(root / "data", PYTHONPATH=str(root)) as server:
        key = server.create_key()
        samples = [sample | {"unit": "count"} for sample in SAMPLES]
        body = {"user_id": "42", "data_type": "steps", "data": samples}
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx2.post(f"{server.url}/api/v2.2/samples", json=body, headers=headers)
        assert answer.status_code == 200
        yield server


def test_it_takes_at_most_three_files(server: LiveServer) -> None:
    """The module and the registry; the third is the page on exports."""
    copy = server.data_dir.parent / "uptake"
    changed = [
        path.relative_to(copy)
        for path in copy.rglob("*.py")
        if not (original := PACKAGE / path.relative_to(copy)).exists()
        or not filecmp.cmp(path, original, shallow=False)
    ]
    assert sorted(map(str, changed)) == ["exports/forms.py", "exports/tsv.py"]
    assert len(changed) + 1 <= MAX_FILES


def test_the_command_writes_the_form_by_its_suffix(server: LiveServer, tmp_path: Path) -> None:
    """With a header, a line for each sample, and spaces for tabs within cells."""
    command = [sys.executable, "-m", "uptake", "export", "samples", str(tmp_path / "out.tsv")]
    environment = os.environ | {"PYTHONPATH": str(server.data_dir.parent)}
    subprocess.run([*command, "--data-dir", str(server.data_dir)], check=True, env=environment)
    assert (tmp_path / "out.tsv").read_text("utf-8").splitlines() == LINES


def test_the_api_serves_and_documents_the_form(server: LiveServer) -> None:
    """With its media type, and as a value of the parameter `form`."""
    headers = {"Authorization": f"Bearer {server.create_key()}"}
    url = f"{server.url}/uptake/v1/exports/samples"
    answer = httpx2.get(url, params={"format": "tsv"}, headers=headers)
    assert answer.headers["content-type"].partition(";")[0] == "text/tab-separated-values"
    assert answer.headers["content-disposition"].endswith("samples.tsv")
    assert answer.text.splitlines() == LINES
    operation = httpx2.get(f"{server.url}/openapi.json").json()["paths"][
        "/uptake/v1/exports/{kind}"
    ]
    assert "text/tab-separated-values" in operation["get"]["responses"]["200"]["content"]
    (form,) = (one for one in operation["get"]["parameters"] if one["name"] == "format")
    assert "tsv" in form["schema"]["enum"]
