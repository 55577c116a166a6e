"""The documentation site: built without a warning, all of it local, its links and diagrams good."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest

from .examples import ROOT, load_script

SETTINGS = ROOT / "docs" / "site"
NARROWEST = 340
"""Width of a page on a phone, in pixels: a diagram of more points would shrink its text."""


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Build a site as `make docs` does."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"),
            *("-c", SETTINGS, "-d", target / "cache", source, target / "site"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of this repository; links to missing pages, files and anchors are warnings."""
    target = tmp_path_factory.mktemp("build")
    done = build(ROOT, target)
    assert done.returncode == 0, done.stderr
    return target / "site"


class Page(HTMLParser):
    """The ids, links and loaded addresses of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the attributes of an element."""
        values = {name: value for name, value in attrs if value is not None}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        self.loads += [values["src"]] if "src" in values else []
        self.loads += [values["href"]] if tag == "link" and "href" in values else []


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """The pages by file."""
    found = {file: Page(file) for file in site.rglob("*.html")}
    assert len(found) > 60
    return found


def test_links_lead_to_a_file_and_an_anchor_of_the_site(pages: dict[Path, Page]) -> None:
    """Also those of the theme; other hosts are not asked."""
    broken = []
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            anchor = unquote(parts.fragment)
            if parts.scheme:
                continue
            if not target.is_file() or (
                anchor and target in pages and anchor not in pages[target].ids
            ):
                broken.append((file.name, link))
    assert broken == []


def test_the_first_page_leads_to_the_index(site: Path) -> None:
    """`index.html` of the site is opened first."""
    address = re.search(r"url=([^\"]+)\"", (site / "index.html").read_text())
    assert address is not None
    assert (site / address[1]).is_file()


def test_nothing_is_loaded_from_another_host(site: Path, pages: dict[Path, Page]) -> None:
    """Scripts, styles, fonts and pictures are files of the site."""
    loads = {load for page in pages.values() for load in page.loads}
    assert {load for load in loads if urlsplit(load).netloc} == set()
    for style in site.rglob("*.css"):
        text = style.read_text()
        assert re.findall(r"url\(\s*['\"]?(?:https?:)?//|@import", text) == [], style


def test_every_page_can_be_found_by_search_and_in_the_sidebar(
    site: Path, pages: dict[Path, Page]
) -> None:
    """The sidebar is made of the index; parts of a page are below it."""
    index = (site / "searchindex.js").read_text()
    start = pages[site / "docs" / "index.html"]
    listed = {(site / "docs" / urlsplit(link).path).resolve() for link in start.links}
    for source in (ROOT / "docs").rglob("*.md"):
        name = source.relative_to(ROOT).with_suffix("")
        assert f'"{name}"' in index
        if not {"decisions", "add-a-format", "index"} & set(name.parts):
            assert site / name.with_suffix(".html") in listed


def test_diagrams_are_pictures_that_fit_on_a_phone(site: Path) -> None:
    """Each is drawn, has a description, and takes its colours from the theme."""
    drawn = 0
    for file in site.rglob("*.html"):
        text = file.read_text()
        assert "highlight-mermaid" not in text
        for svg in re.findall(r"<svg role=\"img\".*?</svg>", text, re.DOTALL):
            drawn += 1
            assert re.match(r'<svg role="img" aria-label="[^"]{20,}"', svg)
            box = re.search(r'viewBox="\S+ \S+ (\S+) \S+"', svg)
            assert box is not None
            assert float(box[1]) <= NARROWEST, file
            assert not re.search(r'(?:fill|stroke)="', svg)
    assert drawn >= 5


def test_a_page_with_errors_fails_the_build(tmp_path: Path) -> None:
    """Links to a missing page, anchor or file, and diagrams that cannot be drawn."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(
        "# Page\n\n[a](page.md) [b](index.md#anchor) [c](../deploy/file)\n\n"
        "```mermaid\nflowchart TB\naccTitle: One\na ==> b\n```\n\n"
        "```mermaid\nflowchart TB\na --> b\n```\n"
    )
    done = build(tmp_path, tmp_path)
    assert done.returncode != 0
    for warning in ("page", "anchor", "deploy/file", "cannot be drawn: a ==> b", "accTitle"):
        assert warning in done.stderr


@pytest.fixture(scope="module")
def diagrams() -> ModuleType:
    """The extension that draws."""
    return load_script(SETTINGS / "diagrams.py")


def test_a_diagram_has_its_nodes_groups_arrows_and_labels(diagrams: ModuleType) -> None:
    """One of each that the pages use."""
    svg = diagrams.draw(
        """
        flowchart TB
        accTitle: A client & a store
        subgraph ones["Group"]
        a(["client"])
        b["first<br>second"]:::accent
        end
        a & b -->|"sends"| c[("store")]
        a -.-> b
        a <--> c
        """
    )
    assert 'aria-label="A client &amp; a store"' in svg
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert {text.strip() for text in texts} == {
        "Group",
        "client",
        "first",
        "second",
        "sends",
        "store",
    }
    assert svg.count('class="node') == 3
    assert 'class="node accent"' in svg
    assert svg.count('class="edge"') == 4
    assert "stroke-dasharray" in svg
