"""Runs `uptake demo` and draws what it prints as `docs/demo.svg`, the picture of the README."""  # noqa: INP001

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parent / "demo.svg"
COLUMNS = 84


def main() -> None:
    """Write the picture; the addresses of the server and its folder differ on each run."""
    done = subprocess.run(
        [sys.executable, "-m", "uptake", "demo", "--once"],
        env={**os.environ, "COLUMNS": str(COLUMNS), "FORCE_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    # Before the table there is every frame of the progress bars, after the chart an address.
    shown = re.search(
        r"^[^\n]*Vendor.*?Steps of user.*?\n\n", done.stdout + "\n", re.DOTALL | re.MULTILINE
    )
    if shown is None:
        raise SystemExit("uptake demo printed something else")
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print(Text.from_ansi(shown[0].rstrip()))
    svg = console.export_svg(title="uptake demo", unique_id="demo")
    # The fonts of other hosts are left out; readers have a monospaced font.
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL))


if __name__ == "__main__":
    main()
