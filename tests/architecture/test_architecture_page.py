"""ARCHITECTURE.md names every package, and only files that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "uptake"
PAGE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
NAMED = set(re.findall(r"`([\w./-]+(?:/|\.py))`", PAGE))


def test_every_package_is_named() -> None:
    """And every module beside the packages."""
    packages = {f"{path.parent.name}/" for path in SOURCE.glob("*/__init__.py")}
    modules = {path.name for path in SOURCE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert packages | modules <= NAMED


def test_every_named_file_exists() -> None:
    """Below `src/uptake`; a name without a folder is one of a package or a vendor."""
    assert [name for name in NAMED if not _exists(name)] == []


def _exists(name: str) -> bool:
    return (SOURCE / name).exists() or ("/" not in name and any(SOURCE.rglob(name)))


def test_the_path_of_an_upload_is_numbered_in_order() -> None:
    """Each step is one line of the list and names a file."""
    section = PAGE.partition("## The path of an upload")[2].partition("\n## ")[0]
    steps = re.findall(r"^(\d+)\. (.*)", section, re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert all(re.search(r"`[\w/]+\.py`", step) for _, step in steps)
