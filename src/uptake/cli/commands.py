"""Every command, and the module that it stands in."""

from collections.abc import Iterable
from importlib import import_module

import typer

MODULES = {
    "serve": "serve",
    "demo": "demo",
    "backup": "backup",
    "restore": "backup",
    "export": "export",
    "sql": "sql",
    "keys": "keys",
    "projects": "projects",
    "types": "types",
    "users": "users",
    "erasures": "erasures",
    "rejections": "rejections",
    "segments": "segments",
    "retention": "retention",
    "db": "db",
    "send": "send",
}
"""A module has `app` with the commands below that name, or a function of the name."""


def command_line(names: Iterable[str] = tuple(MODULES)) -> typer.Typer:
    """`uptake` with these commands; the modules of others are not loaded, which takes long."""
    app = typer.Typer(
        name="uptake",
        help="A self-hosted intake for data about users.",
        callback=_nothing,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name in names:
        module = import_module(f"uptake.cli.{MODULES[name]}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def _nothing() -> None:
    # Without what is done before them, Typer would take a single command for the whole program.
    return


def told(error: Exception) -> bool:
    """Whether an error is told in one line: its message is for the person at the terminal."""
    from uptake.cli.printing import Failed  # noqa: PLC0415 - nothing is loaded that is not needed
    from uptake.formats.base import UnusableFormat  # noqa: PLC0415
    from uptake.store.base import StoreUnavailable  # noqa: PLC0415
    from uptake.wiring import Unusable  # noqa: PLC0415

    return isinstance(error, Failed | Unusable | UnusableFormat | StoreUnavailable | OSError)
