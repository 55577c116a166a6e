"""A copy of the package, changed as a how-to describes."""

import filecmp
import re
import shutil
import subprocess
import sys
from pathlib import Path

import uptake

from .examples import ROOT

PACKAGE = Path(uptake.__file__).parent
HOW_TO = ROOT / "docs" / "how-to"


class PackageCopy:
    """A copy of the package in `root/src`.

    Attributes:
        source: the folder to import from.
        package: the package in it.
    """

    def __init__(self, root: Path) -> None:
        self.source = root / "src"
        self.package = self.source / "uptake"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))

    def apply(self, page: str) -> None:
        """Apply the diffs of a page, in order."""
        text = (HOW_TO / page).read_text()
        diffs = "".join(re.findall(r"^```diff\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
        subprocess.run(
            ["git", "apply", "-"],
            cwd=self.source.parent,
            input=diffs.encode(),
            check=True,
        )

    def changes(self) -> set[str]:
        """The files that were added or changed, below the package."""
        files = {path for path in self.package.rglob("*") if path.is_file()}
        return {
            str(name)
            for name in (path.relative_to(self.package) for path in files)
            if "__pycache__" not in name.parts
            and not (
                (PACKAGE / name).is_file()
                and filecmp.cmp(PACKAGE / name, self.package / name, shallow=False)
            )
        }

    def run(self, program: str, *arguments: str) -> str:
        """What a Python program prints that imports the copy."""
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={"PYTHONPATH": str(self.source)},
            cwd=ROOT / "docs",
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def check_vectors(self, vendor: str) -> None:
        """Run the vectors of a vendor against its decoders."""
        self.run(
            f"from uptake.formats.{vendor} import FORMAT;"
            "from uptake.formats.vectors import vectors_of;"
            "from uptake.testing.vectors import check_decode;"
            "[check_decode(FORMAT, vector) for vector in vectors_of(FORMAT)]"
        )

    def reference(self, page: str) -> str:
        """A page of the reference as it would be generated."""
        return self.run(
            "import sys; sys.path.insert(0, '.'); import generate;"
            "sys.stdout.write(generate.pages()[sys.argv[1]])",
            page,
        )
