"""Draws the Mermaid flowcharts of the pages as SVG when the site is built, with Graphviz.

A page has a flowchart as text, which Git hosts draw too. In the site it is a picture in the page:
it needs no script, and its colours follow the theme. The part of Mermaid's language that the pages
use is supported; anything else is a warning, which fails the build.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.logging import getLogger

DOT = Path(sys.executable).parent / "graphviz-pure"
SCALE = 1.2
"""Pixels for each of Graphviz' points, so that text is about as large as that of a page."""

_NODE = r'(\w+)(?:(\[\(|\(\[|\[)"([^"]+)"(?:\)\]|\]\)|\])(?::::(\w+))?)?'
_NODES = re.compile(rf"{_NODE}(?: & {_NODE})*")
_ONE_NODE = re.compile(_NODE)
_EDGE = re.compile(r' (-->|<-->|-\.->)(?:\|"([^"]+)"\|)? ')
_GROUP = re.compile(r'subgraph (\w+)\["([^"]+)"\]')
_SHAPES = {
    "[": 'shape=box, style="rounded,filled"',
    "([": 'shape=box, style="rounded,filled", class="actor"',
    "[(": 'shape=cylinder, style=filled, class="store"',
}
_ARROWS = {"-->": "", "<-->": "dir=both, ", "-.->": "style=dashed, "}
_HEADER = """digraph {
rankdir=%s; nodesep=0.13; ranksep=0.32; pad=0.03; bgcolor=transparent
graph [fontname=Helvetica, fontsize=12]
node [fontname=Helvetica, fontsize=12, margin="0.11,0.06", height=0.3, width=0.3, fillcolor=white]
edge [fontname=Helvetica, fontsize=11, arrowsize=0.6]
"""


def draw(flowchart: str) -> str:
    """Return a flowchart as an `svg` element.

    Raises:
        ValueError: it has something that the pages do not use.
    """
    lines = [line.strip() for line in flowchart.strip().splitlines() if line.strip()]
    title = next((line[10:] for line in lines if line.startswith("accTitle: ")), None)
    if title is None or not lines[0].startswith("flowchart "):
        raise ValueError(f"a diagram is a `flowchart` with an `accTitle`: {flowchart}")
    body = [line for line in lines[1:] if not line.startswith("accTitle: ")]
    dot = _HEADER % lines[0].removeprefix("flowchart ") + "".join(map(_statement, body)) + "}\n"
    done = subprocess.run(  # noqa: S603 - the program is a dependency of the site
        [DOT, "-Tsvg"], input=dot, capture_output=True, text=True, check=True
    )
    return _embed(done.stdout, title)


def _statement(line: str) -> str:
    """Return a line of Mermaid as lines of Graphviz' language."""
    if line == "end":
        return "}\n"
    if group := _GROUP.fullmatch(line):
        return f'subgraph cluster_{group[1]} {{ label="{group[2]}"; style=rounded; margin=7\n'
    ends = _EDGE.split(line)
    if not all(_NODES.fullmatch(end) for end in ends[::3]):
        raise ValueError(f"a line of a diagram that cannot be drawn: {line}")
    parts = [_ONE_NODE.findall(end) for end in ends[::3]]
    statements = [text for part in parts for node in part for text in _node(*node)]
    for i, (tails, heads) in enumerate(pairwise(parts)):
        arrow, label = ends[3 * i + 1], ends[3 * i + 2]
        text = f" {_text(label)}" if label else ""
        statements += [
            f'{tail[0]} -> {head[0]} [{_ARROWS[arrow]}label="{text}"]'
            for tail in tails
            for head in heads
        ]
    return "".join(f"{statement}\n" for statement in statements)


def _node(name: str, bracket: str, label: str, style: str) -> Iterator[str]:
    if bracket:
        yield f'{name} [label="{_text(label)}", {_SHAPES[bracket]}]'
    if style:
        yield f'{name} [class="{style}"]'


def _text(label: str) -> str:
    return label.replace("<br>", "\\n")


def _embed(svg: str, title: str) -> str:
    """Return the drawing without what an element of a page does not have: prolog, ids, colours."""
    size = re.search(r'<svg width="(\d+)pt" height="(\d+)pt"', svg)
    if size is None:
        raise ValueError("Graphviz printed no drawing")
    width = round(int(size[1]) * SCALE)
    svg = svg[svg.index("<svg") :].replace(
        size[0], f'<svg role="img" aria-label="{escape(title)}" style="width: {width}px"'
    )
    svg = re.sub(r'<title>.*?</title>\n| (?:id|fill|stroke|font-\w+|xml:space)="[^"]*"', "", svg)
    return f'<figure class="diagram">{svg}</figure>'


def _draw_all(_app: Sphinx, document: nodes.document) -> None:
    for block in list(document.findall(nodes.literal_block)):
        if block.get("language") != "mermaid":
            continue
        try:
            block.replace_self(nodes.raw("", draw(block.astext()), format="html"))
        except ValueError as error:
            getLogger(__name__).warning(str(error), location=block)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the handler."""
    app.connect("doctree-read", _draw_all)
    return {"parallel_read_safe": True}
