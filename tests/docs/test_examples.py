"""Every shell example of the tutorial and the how-tos works in order and prints what is shown."""

import re
from pathlib import Path

import pytest

from .examples import ROOT, examples_of, matches, other_servers, run_examples

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
        "docs/how-to/audit.md",
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
    document: str, tmp_path: Path, programs: Path, request: pytest.FixtureRequest
) -> None:
    """In one shell, in an empty folder."""
    run_examples(document, tmp_path, other_servers([document], request), programs=programs)


def test_pages_begin_with_what_is_needed() -> None:
    """A how-to with commands names it before them; reference and explanation have none."""
    for document in DOCUMENTS:
        if document.startswith("docs/how-to/") and not document.endswith("/examples.md"):
            first = re.search(r"^## (.+)$|^```sh$", (ROOT / document).read_text(), re.MULTILINE)
            assert first is not None
            assert first[1] == "Before you start", document


def test_servers_are_started_and_awaited_in_one_way() -> None:
    """By the script of the examples, or with `uptake serve` and a wait that ends."""
    wait = "curl -sf --retry 60 --retry-connrefused --retry-delay 1 "
    for document in ["README.md", *DOCUMENTS]:
        commands = "".join(one.commands for one in examples_of(ROOT / document))
        for line in commands.splitlines():
            assert not re.match(r"(until|while) ", line), document
            assert ("health/ready" in line) == line.startswith(wait), (document, line)
        if re.search(r"^uptake serve", commands, re.MULTILINE):
            assert wait in commands, document
        assert commands.count("source examples/server.sh") == commands.count("stop_server"), (
            document
        )


def test_an_example_that_fails_is_noticed(tmp_path: Path) -> None:
    """The runner itself: a failing command, another output than the one shown, a process left."""
    texts = {
        "failing.md": "```sh\nfalse\n```\n",
        "wrong.md": "```sh\necho one\n```\n\n```text\ntwo\n```\n",
        "running.md": "```sh\nsleep 60 &\n```\n",
    }
    for name, text in texts.items():
        document = tmp_path / name
        document.write_text(text)
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
