"""Runs the shell examples of a document, in order and in one shell, and reads what they print."""

import importlib.util
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from uptake.cli.serve import free_port

ROOT = Path(__file__).parents[2]
PORT_SHOWN = "localhost:8000"
"""Where the documents' server is; the tests put it on a free port."""

OBJECT_STORE_SHOWN = "http://localhost:8333"
"""Where their object store is."""

DATABASE_SHOWN = "postgresql://uptake:secret@localhost:5432/uptake"
"""Where their PostgreSQL is."""

SECOND_PORT_SHOWN = "8001"
"""Where their second server is."""

SECONDS = 110
"""For the commands of a document."""
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = ("pip install", "make ", "git clone", "uptake demo")
"""Lines that are checked to be there by other tests, or would run the tests inside the tests."""


@dataclass(frozen=True)
class Example:
    """A block of commands, and what the document shows as their output, if it does."""

    commands: str
    shown: str | None


def load_script(file: Path) -> ModuleType:
    """Import a script that is not part of a package."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def examples_of(document: Path) -> list[Example]:
    """The `sh` blocks of a document, each with the `text` or `json` block that follows it."""
    blocks = _FENCE.findall(document.read_text())
    found = []
    for i, (language, content) in enumerate(blocks):
        if language == "sh":
            after = blocks[i + 1] if i + 1 < len(blocks) else ("", "")
            found.append(Example(content, after[1] if after[0] in {"text", "json"} else None))
    return found


def run_examples(
    documents: str | Sequence[str],
    folder: Path,
    others: Mapping[str, str] | None = None,
    *,
    programs: Path | None = None,
) -> None:
    """Run the examples of documents in a folder; each must succeed and print what is shown.

    One shell runs all of them, in order. Documents end what they start: no server is left.

    The sample files that ship with the project are in the folder. Other servers that the
    documents use are in `others`: the shown address and the real one. Programs in `programs` are
    used instead of those that are installed.

    In the shown output, `...` matches anything, and spaces and line breaks do not count.
    """
    names = [documents] if isinstance(documents, str) else documents
    examples = [(name, one) for name in names for one in examples_of(ROOT / name)]
    assert examples
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    places = {PORT_SHOWN: f"localhost:{port}", **(others or {})}
    with suppress(FileExistsError):
        (folder / "examples").symlink_to(ROOT / "examples")
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT"]
    for i, (_, example) in enumerate(examples):
        lines_to_run = [
            line for line in example.commands.splitlines() if not line.startswith(_NOT_RUN)
        ]
        commands = "\n".join(lines_to_run)
        for shown, place in places.items():
            commands = commands.replace(shown, place)
        lines += [f"echo {i} > {folder}/at", "{ :", commands, f"}} > {folder}/out{i}"]
    lines.append('[ -z "$(jobs -pr)" ] || { echo "a server is left running" >&2; exit 1; }')
    path = [*([programs] if programs else []), Path(sys.executable).parent, os.environ["PATH"]]
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=folder,
        env={
            **os.environ,
            "PATH": os.pathsep.join(map(str, path)),
            "TMPDIR": str(folder),
            "UPTAKE_PORT": str(port),
            "XDG_STATE_HOME": str(folder / "state"),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS * len(names),
        check=False,
    )
    name, example = examples[int((folder / "at").read_text())]
    assert done.returncode == 0, f"{name}\n{example.commands}\n{done.stderr}"
    for i, (name, example) in enumerate(examples):
        if example.shown is not None:
            output = (folder / f"out{i}").read_text()
            for shown, place in places.items():
                output = output.replace(place, shown)
            assert matches(output, example.shown), f"{name}\n{example.commands}\n{output}"


def other_servers(documents: Sequence[str], request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the addresses of the object store, database and second server that documents use."""
    text = "".join((ROOT / document).read_text() for document in documents)
    others = {}
    if OBJECT_STORE_SHOWN in text:
        others[OBJECT_STORE_SHOWN] = request.getfixturevalue("seaweedfs").endpoint
    if DATABASE_SHOWN in text:
        database = request.getfixturevalue("postgresql").create(Path(documents[0]).stem)
        others[DATABASE_SHOWN] = database
    if SECOND_PORT_SHOWN in text:
        others[SECOND_PORT_SHOWN] = str(free_port("127.0.0.1"))
    return others


def matches(output: str, shown: str) -> bool:
    """Whether an output is what a document shows."""
    parts = ["".join(part.split()) for part in shown.split("...")]
    pattern = ".*".join(map(re.escape, parts))
    return re.fullmatch(pattern, "".join(output.split())) is not None
