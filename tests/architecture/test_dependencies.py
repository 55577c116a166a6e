"""The lock file pins what `pyproject.toml` asks for, and internals of libraries are capped."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = tuple(PROJECT["optional-dependencies"])
REQUIREMENTS = [
    Requirement(text)
    for text in [
        *PROJECT["dependencies"],
        *(text for extra in EXTRAS for text in PROJECT["optional-dependencies"][extra]),
    ]
]
LINES = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
LOCKED = {
    canonicalize_name(name): Version(version)
    for name, version in (line.split("==") for line in LINES)
}

CAPPED = {"granian", "litestar", "typer"}
"""Undocumented parts of these are used, so each minor version is tried before it is allowed."""


def test_the_lock_has_a_version_on_each_line() -> None:
    """No addresses, options or hashes: it serves as constraints on every platform."""
    assert [line for line in LINES if not re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+", line)] == []
    names = [line.partition("==")[0] for line in LINES]
    assert sorted(names) == names


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_the_lock_satisfies_every_requirement(requirement: Requirement) -> None:
    """Those of the package and of its extras."""
    assert LOCKED[canonicalize_name(requirement.name)] in requirement.specifier


def test_the_lock_has_what_the_requirements_require() -> None:
    """Everything that is installed for them is pinned."""
    assert set(_required()) - LOCKED.keys() == set()


def _required() -> Iterator[str]:
    waiting = [(requirement.name, frozenset(requirement.extras)) for requirement in REQUIREMENTS]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        yield canonicalize_name(name)
        for text in importlib.metadata.requires(name) or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
                continue
            following = (requirement.name, frozenset(requirement.extras))
            if following not in seen:
                seen.add(following)
                waiting.append(following)


@pytest.mark.parametrize("name", sorted(CAPPED))
def test_libraries_with_used_internals_have_an_upper_bound(name: str) -> None:
    """Below the next minor version."""
    (requirement,) = (one for one in REQUIREMENTS if one.name == name)
    major, minor, *_ = LOCKED[canonicalize_name(name)].release
    assert Version(f"{major}.{minor + 1}") not in requirement.specifier


def test_make_check_runs_tests_of_every_package() -> None:
    """Each listed file exists, and each package has one of its own, or one that goes through it."""
    text = (ROOT / "Makefile").read_text("utf-8")
    quick = re.search(r"^QUICK := ((?:.*\\\n)*.*)", text, re.MULTILINE)
    assert quick is not None
    listed = quick[1].replace("\\\n", " ").split()
    assert [path for path in listed if not (ROOT / path).exists()] == []
    packages = {path.parent.name for path in (ROOT / "src" / "uptake").glob("*/__init__.py")}
    elsewhere = {"demo": "cli/test_demo", "http": "http_", "model": "formats"}
    tested = {path.split("/")[1] for path in listed} | {path.split("tests/")[1] for path in listed}
    missing = [
        package
        for package in packages
        if not any(name.startswith(elsewhere.get(package, package)) for name in tested)
    ]
    assert missing == []
