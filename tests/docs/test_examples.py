"""Every shell example of the tutorial and the how-tos works in order and prints what is shown."""

from pathlib import Path

import pytest

from uptake.cli.serve import free_port
from uptake.testing.postgres import Postgres

from .examples import (
    DATABASE_SHOWN,
    OBJECT_STORE_SHOWN,
    ROOT,
    SECOND_PORT_SHOWN,
    examples_of,
    matches,
    run_examples,
)

DOCUMENTS = sorted(
    str(file.relative_to(ROOT))
    for file in (ROOT / "docs").rglob("*.md")
    if "```sh\n" in file.read_text()
)


def test_the_tutorial_and_the_how_tos_have_examples() -> None:
    """So that the test below has something to run."""
    assert {
        "docs/how-to/document-types.md",
        "docs/how-to/export.md",
        "docs/how-to/keys.md",
        "docs/how-to/metrics-and-logs.md",
        "docs/how-to/segments.md",
        "docs/how-to/nodes.md",
        "docs/how-to/object-store.md",
        "docs/how-to/postgresql.md",
        "docs/how-to/serve.md",
        "docs/how-to/sql.md",
        "docs/tutorial.md",
    } <= set(DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_examples_work_as_pasted(
    document: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """In one shell, in an empty folder."""
    others = {}
    text = (ROOT / document).read_text()
    if OBJECT_STORE_SHOWN in text:
        others[OBJECT_STORE_SHOWN] = request.getfixturevalue("seaweedfs").endpoint
    if DATABASE_SHOWN in text:
        postgresql: Postgres = request.getfixturevalue("postgresql")
        others[DATABASE_SHOWN] = postgresql.create(Path(document).stem)
    if SECOND_PORT_SHOWN in text:
        others[SECOND_PORT_SHOWN] = str(free_port("127.0.0.1"))
    run_examples(document, tmp_path, others)


def test_an_example_that_fails_is_noticed(tmp_path: Path) -> None:
    """The runner itself: a failing command, and an output that is not the one shown."""
    failing, lying = tmp_path / "failing.md", tmp_path / "lying.md"
    failing.write_text("```sh\nfalse\n```\n")
    lying.write_text("```sh\necho one\n```\n\n```text\ntwo\n```\n")
    for document in (failing, lying):
        with pytest.raises(AssertionError):
            run_examples(str(document), tmp_path)


def test_what_is_shown_belongs_to_the_block_before_it(tmp_path: Path) -> None:
    """Only when it follows directly."""
    document = tmp_path / "page.md"
    document.write_text("```sh\na\n```\n```json\n1\n```\n```sh\nb\n```\n```sh\nc\n```\n")
    shown = [(example.commands, example.shown) for example in examples_of(document)]
    assert shown == [("a\n", "1\n"), ("b\n", None), ("c\n", None)]


@pytest.mark.parametrize(
    ("output", "shown", "same"),
    [
        ('{"a":1}', '{"a": 1}', True),
        ('{"a":12}', '{"a": 1...}', True),
        ('{"a":2}', '{"a": 1...}', False),
        ("a.b", "a...b", True),
        ("ab", "a.b", False),
    ],
)
def test_dots_match_anything(output: str, shown: str, *, same: bool) -> None:
    """Everything else must match, except spaces."""
    assert matches(output, shown) is same
