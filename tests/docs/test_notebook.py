"""The picture of the how-to about notebooks is what its code draws from its data."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from .examples import ROOT, run_examples

PAGE = "docs/how-to/notebook.md"
_BAR = re.compile(
    r'<path d="M [\d.]+ ([\d.]+) *\nL [\d.]+ \1 *\nL [\d.]+ ([\d.]+) *\nL [\d.]+ \2 *\nz'
)
"""A rectangle in an SVG of Matplotlib: its lower and its upper edge."""


def bars(picture: Path) -> list[float]:
    """The heights of all rectangles of a picture."""
    return [float(low) - float(high) for low, high in _BAR.findall(picture.read_text("utf-8"))]


def shares(heights: list[float]) -> list[float]:
    """Heights as shares of the largest."""
    return [height / max(heights) for height in heights]


def test_the_picture_shows_the_data_of_the_page(tmp_path: Path, programs: Path) -> None:
    """The picture that the code draws, and the one that the page shows."""
    run_examples(PAGE, tmp_path, programs=programs)
    (folder,) = {path.parent for path in tmp_path.rglob("plot.py")}
    days: Counter[str] = Counter()
    with (folder / "steps.csv").open() as file:
        for row in csv.DictReader(file):
            days[row["from"][:10]] += int(row["steps"])
    expected = pytest.approx(shares([days[day] for day in sorted(days)]), abs=0.005)
    assert len(days) == 28
    for picture in (folder / "notebook.svg", ROOT / "docs/how-to/notebook.svg"):
        shown = bars(picture)
        # Before the bars are the figure and the axes, behind them the legend.
        runs = [shown[at : at + len(days)] for at in range(len(shown) - len(days) + 1)]
        assert any(shares(run) == expected for run in runs), picture
