"""The tests mirror `src/uptake`: the test of a module is found by the module's name.

The module `a/b.py` is tested by `tests/a/test_b.py`, by files `tests/a/test_b_*.py`, or by the
folder `tests/a/b/`. A module without such a test is an internal part of its package and is tested
by the tests of the package: the folder `tests/a/`, or `tests/test_a.py`. Exceptions are listed in
`tested_by.txt`.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "uptake"
TESTS = ROOT / "tests"

RENAMED = {"http": "http_"}
"""A folder of tests named `http` would replace the package of Python that has this name."""

OF_THE_WHOLE = {
    "architecture",
    "cluster",
    "contract",
    "deploy",
    "docs",
    "faults",
    "fuzz",
    "generators",
}
"""Folders of tests that run the complete server or read the complete source."""

MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
FILES = sorted(
    path.relative_to(TESTS)
    for path in TESTS.rglob("test_*.py")
    if path.relative_to(TESTS).parts[0] not in OF_THE_WHOLE
)
EXCEPTIONS = {
    path: rest.partition("  # ")[0].split()
    for line in (Path(__file__).parent / "tested_by.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
    for path, _, rest in [line.partition(": ")]
}


def _mirror(path: Path) -> Path:
    """The place of the tests of a module or package."""
    return TESTS.joinpath(*(RENAMED.get(part, part) for part in path.with_suffix("").parts))


def _has_tests(path: Path) -> bool:
    mirror = _mirror(path)
    named = [f"test_{mirror.name}.py", f"test_{mirror.name}_*.py", f"{mirror.name}/test_*.py"]
    return any(True for pattern in named for _ in mirror.parent.glob(pattern))


PACKAGES = sorted({path.parent for path in MODULES} - {Path()})
SUBJECTS = {_mirror(path) for path in [*MODULES, *PACKAGES]}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_tests(module: Path) -> None:
    """Of its own name, of its package, or the ones that `tested_by.txt` lists."""
    parents = [path for path in module.parents if path.name]
    if not any(_has_tests(path) for path in [module, *parents]):
        paths = [module.as_posix(), *(f"{parent.as_posix()}/" for parent in parents)]
        assert [path for path in paths if path in EXCEPTIONS] != []


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_test_file_is_named_after_a_module(file: Path) -> None:
    """Or after a package, or `tested_by.txt` lists its subject."""
    words = file.stem.split("_")[1:]
    names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    subjects = {TESTS / file.parent / name for name in names}
    of_folder = TESTS / file.parent in {_mirror(path) for path in MODULES}
    is_named = of_folder or subjects & SUBJECTS
    listed = {f"tests/{file.as_posix()}", f"tests/{file.parent.as_posix()}/"} & EXCEPTIONS.keys()
    assert is_named or listed


def test_the_exceptions_exist() -> None:
    """A line names a module or a package and its tests, or a test file and its subject."""
    for path, tests in EXCEPTIONS.items():
        if path.startswith("tests/"):
            assert (ROOT / path).exists(), path
        else:
            assert (SOURCE / path).exists(), path
            assert [test for test in tests if not (ROOT / test).exists()] == []
