"""The README: its commands work as pasted, and its picture shows what the demo prints."""

import html
import re
from pathlib import Path

from uptake.demo.plan import Keys, generate_people
from uptake.demo.run import make_plan
from uptake.formats.registry import FORMATS

from .examples import ROOT, run_examples

README = (ROOT / "README.md").read_text()


def test_every_command_works_as_pasted(tmp_path: Path) -> None:
    """In order, in one shell, with the answers that are shown; by the program that is installed."""
    run_examples("README.md", tmp_path)


def test_the_two_commands_are_there() -> None:
    """Word for word, each in a block of its own."""
    assert "```sh\npip install . && uptake demo\n```" in README
    assert "```sh\nmake test\n```" in README


def test_every_endpoint_is_in_the_table_and_has_a_command() -> None:
    """With its vendor and its scope."""
    for form in FORMATS:
        for operation in form.endpoints:
            row = next(line for line in README.splitlines() if f"`POST {operation.path}`" in line)
            assert row.startswith(f"| {form.vendor} |")
            assert row.endswith(f"| `{operation.scope}` |")
            start = re.escape(re.split(r"{", operation.path)[0])
            assert re.search(rf'^curl -sS "?\$URL{start}', README, re.MULTILINE)


def test_the_pictures_of_the_console_are_small() -> None:
    """`python docs/screenshots.py` makes them."""
    for name in ("console-rejection", "console-user"):
        assert f"](docs/{name}.png)" in README
        content = (ROOT / "docs" / f"{name}.png").read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < 200_000


def test_the_picture_counts_what_the_demo_sends() -> None:
    """The generated data is the same on every run, so the numbers are too."""
    assert "](docs/demo.svg)" in README
    picture = html.unescape(re.sub(r"<[^>]*>", "", (ROOT / "docs" / "demo.svg").read_text()))
    printed = re.sub(r"\s+", " ", picture)
    planned = make_plan(generate_people(), Keys("sender", "bound", "reader"))
    for form in FORMATS:
        for operation in form.endpoints:
            uploads = planned.uploads[operation.name]
            sent = sum(upload.items for upload in uploads)
            accepted = sum(upload.accepted for upload in uploads)
            line = f"{operation.path} {sent:,} {accepted:,} {sent - accepted:,} "
            assert line in printed
