"""`uptake db`: what is done to a database beside serving from it."""

import typer

from uptake import wiring
from uptake.cli.store import DATA_DIR, Database, DataDir
from uptake.cli.terminal import say
from uptake.settings import Settings

app = typer.Typer(help="The database itself.")


@app.callback()
def _group() -> None:
    """Keep `distribute` a command of its own, though it is the only one."""


@app.command()
def distribute(data_dir: DataDir = DATA_DIR, database: Database = "") -> None:
    """Spread the tables over the nodes of a PostgreSQL with Citus; what is spread stays so."""
    done = 0
    for name, statement in wiring.distribute(Settings(data_dir=data_dir, database=database)):
        say(f"{name}: {statement}")
        done += 1
    say(f"{done} tables placed." if done else "Every table is in its place already.")
