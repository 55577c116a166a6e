"""The lock file pins what `pyproject.toml` asks for, and internals of libraries are capped."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
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
SEND = [
    Requirement(text)
    for text in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"][
        "send"
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
    assert set(_required(REQUIREMENTS)) - LOCKED.keys() == set()


def test_the_lock_for_senders_has_what_they_need_and_nothing_else() -> None:
    """The same versions; each requirement is one of the package."""
    lines = (ROOT / "requirements-send.lock").read_text("utf-8").splitlines()
    assert lines == [f"{name}=={LOCKED[name]}" for name in sorted({*_required(SEND)})]
    assert {str(requirement) for requirement in SEND} <= set(map(str, REQUIREMENTS))


def test_sending_imports_only_what_is_locked_for_senders() -> None:
    """The uploader and `uptake send`, with every format and source; nothing else is installed."""
    needed = {*_required(SEND), "uptake"}
    others = [
        module
        for module, names in importlib.metadata.packages_distributions().items()
        if not needed & set(map(canonicalize_name, names))
    ]
    program = f"""if True:
        import pkgutil, sys, importlib
        before = set(sys.modules)

        class NotInstalled:
            def find_spec(self, name, path=None, target=None):
                if name in {others}:
                    raise ModuleNotFoundError(name, name=name)

        sys.meta_path.insert(0, NotInstalled())
        import uptake.uploader, uptake.cli.send
        for module in pkgutil.walk_packages(uptake.uploader.__path__, "uptake.uploader."):
            importlib.import_module(module.name)
        loaded = {{name for name, module in sys.modules.items() if module}} - before
        print(*{{name.partition(".")[0] for name in loaded}})
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    of_modules = importlib.metadata.packages_distributions()
    used = {
        canonicalize_name(name)
        for module in done.stdout.decode().split()
        for name in of_modules.get(module, [])
    }
    assert {"numpy", "pyarrow", "msgspec"} <= used
    assert used - needed == set()


def test_the_metadata_of_the_package_is_complete() -> None:
    """What an index shows, and every version of Python that is supported."""
    about = importlib.metadata.metadata("uptake")
    assert about["License-Expression"] == "Apache-2.0"
    assert about["Description-Content-Type"] == "text/markdown"
    for field in ("Summary", "Author", "Maintainer", "Keywords", "License-File"):
        assert about[field]
    classifiers = about.get_all("Classifier") or []
    assert about["Requires-Python"] == ">=3.11"
    for version in ("3.11", "3.12", "3.13", "3.14"):
        assert f"Programming Language :: Python :: {version}" in classifiers
    assert {"dev", "sql", "testing"} <= set(about.get_all("Provides-Extra") or [])


def _required(requirements: list[Requirement]) -> Iterator[NormalizedName]:
    waiting = [(requirement.name, frozenset(requirement.extras)) for requirement in requirements]
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


def test_the_readme_names_the_programs_that_make_test_installs() -> None:
    """They need root, and come from Debian."""
    programs = re.findall(r"command -v (\S+)", (ROOT / "Makefile").read_text("utf-8"))
    assert len(programs) >= 3
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [program for program in programs if f"`{program}`" not in readme] == []


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
