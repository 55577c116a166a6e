"""`uptake maintenance`: pauses uploads on all nodes."""

import typer

from uptake.cli.options import StoreOptions
from uptake.cli.terminal import Json, print_result
from uptake.http.parameter_groups import expand_groups
from uptake.model import clock

app = typer.Typer(help="Pause uploads on all nodes: they are answered with 503.")


@app.command()
@expand_groups
def on(options: StoreOptions, *, json: Json = False) -> None:
    """Pause uploads. Servers follow within seconds; reads go on."""
    with options.open() as store:
        since = store.begin_maintenance(clock.now())
    _print(since, json=json)


@app.command()
@expand_groups
def off(options: StoreOptions, *, json: Json = False) -> None:
    """Accept uploads again. Servers follow within seconds."""
    with options.open() as store:
        store.end_maintenance()
    _print(None, json=json)


@app.command()
@expand_groups
def show(options: StoreOptions, *, json: Json = False) -> None:
    """Show whether uploads are paused, and since when."""
    with options.open() as store:
        since = store.maintenance_since()
    _print(since, json=json)


def _print(since: int | None, *, json: bool) -> None:
    shown = None if since is None else clock.iso(since)
    line = "Maintenance mode is off." if shown is None else f"Maintenance mode is on since {shown}."
    print_result({"maintenance": since is not None, "since": shown}, line, json=json)
