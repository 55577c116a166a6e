"""The test of a module is found by the module's name."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "uptake"
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
TABLE = {
    path: tests.split()
    for line in (Path(__file__).parent / "tested_by.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
    for path, tests in [line.split(": ")]
}


def _tests_of(module: Path) -> list[str]:
    mirrored = ROOT / "tests" / module.parent / f"test_{module.name}"
    if mirrored.exists():
        return [mirrored.relative_to(ROOT).as_posix()]
    folders = [f"{parent.as_posix()}/" for parent in module.parents]
    return next((TABLE[path] for path in (module.as_posix(), *folders) if path in TABLE), [])


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_a_test_file(module: Path) -> None:
    """Of its own name, or the one that `tested_by.txt` names."""
    tests = _tests_of(module)
    assert tests != []
    assert [test for test in tests if not (ROOT / test).exists()] == []


def test_the_table_names_only_modules_that_exist() -> None:
    """And no module that has a test file of its own name."""
    assert [path for path in TABLE if not (SOURCE / path).exists()] == []
    mirrored = {
        path: ROOT / "tests" / Path(path).with_name(f"test_{Path(path).name}") for path in TABLE
    }
    own = [path for path, test in mirrored.items() if test.is_file()]
    assert own == []
    assert list(TABLE) == sorted(TABLE)
