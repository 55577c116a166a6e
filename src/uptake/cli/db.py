"""`uptake db`: maintenance of the database."""

import typer

from uptake.cli.options import StoreOptions
from uptake.cli.terminal import echo
from uptake.http.parameter_groups import expand_groups

app = typer.Typer(help="Maintain the database.")


@app.callback()
def _group() -> None:
    """Keep `distribute` a subcommand although it is the only one."""


@app.command()
@expand_groups
def distribute(options: StoreOptions) -> None:
    """Distribute the tables over the nodes of PostgreSQL with Citus.

    Tables that are already distributed stay unchanged.
    """
    from uptake import wiring

    done = 0
    for name, statement in wiring.distribute(options.settings):
        echo(f"{name}: {statement}")
        done += 1
    echo(f"Distributed {done} tables." if done else "All tables are already distributed.")
