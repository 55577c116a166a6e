"""`uptake.toml`: settings in a file, with the names of the options; `uptake config` shows them."""

import os
import tomllib
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import typer

from uptake.cli.terminal import Json, print_json, print_table
from uptake.settings import Settings, hide_secrets, variable

FILE = "uptake.toml"
MAX_BYTES = 1 << 20

DEFAULTS = {
    **{name.replace("_", "-"): value for name, value in Settings().to_dict().items()},
    "log-level": "INFO",
    "url": "",
    "key-file": "",
}
"""The settings that the file can have: the server's, and those of commands that send."""

PATHS = ("data-dir", "key-file")
"""Settings that are paths: in the file they are relative to its folder."""

app = typer.Typer(help="Show the settings and where each value comes from.")


def load_file(path: Path | None, environment: MutableMapping[str, str]) -> Mapping[str, Path]:
    """Set the variables of the settings in a file, unless the environment has them.

    Args:
        path: the file; by default `uptake.toml` in the current folder, if it exists.
        environment: the environment variables.

    Returns:
        The variables that were set, each with the file.

    Raises:
        BadParameter: the file cannot be read, or has a setting that does not exist.
    """
    if path is None:
        if not Path(FILE).is_file():
            return {}
        path = Path(FILE)
    added = {}
    for name, value in _read(path).items():
        if (envvar := variable(name)) not in environment:
            text = str(value)
            environment[envvar] = str(path.parent.resolve() / text) if name in PATHS else text
            added[envvar] = path
    return added


def _read(path: Path) -> dict[str, str | int]:
    try:
        with path.open("rb") as file:
            values: dict[str, Any] = tomllib.loads(file.read(MAX_BYTES).decode())
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise typer.BadParameter(f"{path} is not TOML: {error}") from None
    for name, value in values.items():
        if name not in DEFAULTS:
            raise typer.BadParameter(
                f"{path}: there is no setting {name!r}; the settings are {', '.join(DEFAULTS)}"
            )
        if type(value) not in {str, int}:
            raise typer.BadParameter(f"{path}: {name} must be a text or a whole number")
    return values


@app.callback()
def _group() -> None:
    """Keep `show` a subcommand although it is the only one."""


@app.command()
def show(context: typer.Context, *, json: Json = False) -> None:
    """Show every setting with its value and its source: environment, file or default.

    An option of a command overrides all three.
    """
    rows = []
    for name, default in DEFAULTS.items():
        envvar = variable(name)
        value = os.environ.get(envvar)
        source = str(context.obj.get(envvar) or envvar) if value else "default"
        rows.append((name, hide_secrets(value or str(default)), source))
    if json:
        print_json([dict(zip(("name", "value", "source"), row, strict=True)) for row in rows])
    else:
        print_table(("SETTING", "VALUE", "SOURCE"), rows)
