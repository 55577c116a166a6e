"""Sizes, names and places that the source keeps to."""

import ast
import importlib.resources
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from uptake.formats.registry import FORMATS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "uptake"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80
CLOCK = SOURCE / "model" / "clock.py"
CLOCKS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}
MODULES = sorted(SOURCE.rglob("*.py"))
MACHINE = re.compile(r"(?<![\w.])/(?:root|work)/")


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_file_is_long() -> None:
    """At most 400 lines each, tests and benchmarks included."""
    paths = [*MODULES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert [path for path, size in sizes.items() if size > MAX_FILE_LINES] == []


def test_no_function_is_long() -> None:
    """At most 80 lines each, from `def` to the end."""
    long = [
        f"{path}:{function.lineno} {function.name}"
        for path in MODULES
        for function in _functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_every_module_starts_with_a_docstring() -> None:
    """In its first line."""
    silent = [path for path in MODULES if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert silent == []


def test_only_the_clock_asks_the_time() -> None:
    """So that there is one idea of it; what is measured uses clocks that only go forward."""
    asking = [
        f"{path}:{getattr(node, 'lineno', 0)}"
        for path in MODULES
        if path != CLOCK
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if _asks_the_time(node)
    ]
    assert asking == []


def _asks_the_time(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom) and node.module == "time":
        return bool({name.name for name in node.names} & {"time", "time_ns"})
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    owner = node.func.value
    name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
    return (name, node.func.attr) in CLOCKS


def test_every_format_folder_is_registered() -> None:
    """And every registered format has a folder of its name."""
    folders = {path.parent.name for path in (SOURCE / "formats").glob("*/__init__.py")}
    assert {form.name for form in FORMATS} == folders
    assert len({form.name for form in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize("name", [form.name for form in FORMATS])
def test_every_format_is_described_and_has_vectors(name: str) -> None:
    """They are part of the package, wherever that is installed."""
    folder = importlib.resources.files("uptake.formats") / name
    assert (folder / "README.md").is_file()
    vectors = list((folder / "vectors").iterdir())
    assert len(vectors) > 1


def test_endpoints_have_names_and_paths_of_their_own() -> None:
    """All formats are served side by side."""
    operations = [operation for form in FORMATS for operation in form.operations]
    assert len({operation.name for operation in operations}) == len(operations)
    addresses = {(operation.method, operation.path) for operation in operations}
    assert len(addresses) == len(operations)


def test_no_file_names_a_folder_of_the_machine_it_was_written_on() -> None:
    """Whoever reads it has another machine."""
    naming = [
        path
        for path in _tracked_files()
        if MACHINE.search(path.read_bytes().decode("utf-8", "ignore")) and path != Path(__file__)
    ]
    assert naming == []


def _tracked_files() -> list[Path]:
    """The files of the repository, or of the archive of it where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        names = ["src", "tests", "docs", "benchmarks"]
        paths = [path for name in names for path in (ROOT / name).rglob("*")]
    return [path for path in paths if path.is_file()]
