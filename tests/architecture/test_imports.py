"""The direction of imports, as `.importlinter` has it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def _lint(config: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LINT, "--no-cache", "--config", str(config)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_imports_keep_to_every_contract() -> None:
    """Layers are in order, vendors are independent, and only its back end imports a driver."""
    done = _lint(ROOT / ".importlinter")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken." in done.stdout


def test_a_broken_contract_is_noticed(tmp_path: Path) -> None:
    """With the edge left out of those that may know its framework, the check fails."""
    config = (ROOT / ".importlinter").read_text(encoding="utf-8")
    head, contract, rest = config.partition("[importlinter:contract:web]")
    assert contract
    wrong = tmp_path / "wrong"
    wrong.write_text(head + contract + rest.replace("uptake.http", "uptake.store", 1))
    done = _lint(wrong)
    assert done.returncode == 1
    assert " 1 broken." in done.stdout


def test_a_server_starts_without_arrow() -> None:
    """It takes 40 MB, and most servers are never asked for what needs it."""
    program = (
        "import sys, uptake.cli.serve, uptake.http.app;"
        "print({'numpy', 'pyarrow', 'duckdb'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"{'numpy'}\n"


def test_a_command_loads_only_what_it_needs(tmp_path: Path) -> None:
    """On a database that is up to date: no web server, no other engine, nothing that migrates."""
    program = (
        "import sys; from uptake.cli import run;"
        "status = [run([*sys.argv[2:], '--data-dir', sys.argv[1]]) for _ in range(2)][-1];"
        "heavy = {'PIL', 'alembic', 'granian', 'litestar', 'psycopg', 'structlog'};"
        "sys.exit(status or ', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    first, then = (
        subprocess.run(
            [sys.executable, "-c", program, tmp_path, *command],
            capture_output=True,
            text=True,
            check=False,
        )
        for command in (["init"], ["keys", "list"])
    )
    assert first.stderr == "alembic\n"
    assert (then.returncode, then.stderr) == (0, "")
