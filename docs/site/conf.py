"""Settings of the documentation site, which `make docs` builds from the Markdown pages."""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

from uptake import __version__

sys.path.insert(0, str(Path(__file__).parent))  # for `diagrams`

project = "Uptake"
release = __version__
copyright = "the authors of Uptake"  # noqa: A001 - Sphinx' name

# The source folder is the repository: links between pages work on a Git host and in the site.
include_patterns = ["docs/**.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"]
exclude_patterns = ["build", "src", "tests", ".[!/]*"]  # not searched for pages
root_doc = "docs/index"

extensions = ["myst_parser", "sphinx_copybutton", "diagrams"]
myst_heading_anchors = 4
highlight_language = "text"
suppress_warnings = ["misc.highlighting_failure"]  # examples abbreviate JSON with `...`

html_theme = "furo"
html_title = f"Uptake {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["root"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6e75", "color-brand-content": "#0b6e75"},
    "dark_css_variables": {"color-brand-primary": "#5cc8cf", "color-brand-content": "#5cc8cf"},
}

PARTS = {"docs/decisions/README": "0*", "docs/how-to/add-a-format": "add-a-format/*/README"}
"""Pages that lead to other pages, which the index does not list."""

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#]+)\.md\)")


def _add_navigation(_app: Sphinx, page: str, source: list[str]) -> None:
    """Make the sidebar from the lists of the index, so that there is one list of pages."""
    if page == root_doc:
        _, *parts = _SECTION.split(source[0])
        for caption, text in zip(parts[::2], parts[1::2], strict=True):
            entries = [
                f"{title} <{target}>" for title, target in _LINK.findall(text.replace("\n", " "))
            ]
            source[0] += _toctree(f":caption: {caption}", *entries)
    elif page in PARTS:
        source[0] += _toctree(":glob:", PARTS[page])


def _toctree(*lines: str) -> str:
    return "\n".join(["\n\n```{toctree}", ":hidden:", *lines, "```\n"])


def setup(app: Sphinx) -> None:
    """Connect the handlers."""
    app.connect("source-read", _add_navigation)
