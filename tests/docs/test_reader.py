"""A reader who follows several pages, in one shell and one folder."""

from pathlib import Path

import pytest

from .examples import run_examples

pytestmark = pytest.mark.timeout(900)

PAGES = (
    "README.md",
    "docs/tutorial.md",
    "docs/how-to/examples.md",
    "docs/how-to/keys.md",
    "docs/how-to/send.md",
    "docs/how-to/resume-and-verify.md",
    "docs/how-to/rollups.md",
    "docs/how-to/export.md",
    "docs/how-to/erase.md",
    "docs/how-to/backup.md",
    "docs/how-to/serve.md",
)
"""What a new user reads: first steps, then a page or two of each task."""


def test_the_pages_work_one_after_another(tmp_path: Path, programs: Path) -> None:
    """No page depends on what the page before left behind, or leaves a server running."""
    run_examples(PAGES, tmp_path, programs=programs)


def test_a_page_can_be_followed_twice(tmp_path: Path, programs: Path) -> None:
    """Its files and its ledger are new each time."""
    run_examples(["docs/how-to/resume-and-verify.md"] * 2, tmp_path, programs=programs)
