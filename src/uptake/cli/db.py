"""`uptake db`: maintenance of the database."""

import typer

from uptake.cli.options import StoreOptions
from uptake.cli.terminal import Json, echo, print_result
from uptake.http.parameter_groups import expand_groups

app = typer.Typer(help="Maintain the database.")


@app.callback()
def _group() -> None:
    """Keep `distribute` a subcommand although it is the only one."""


@app.command()
@expand_groups
def distribute(options: StoreOptions, *, json: Json = False) -> None:
    """Distribute the tables over the nodes of PostgreSQL with Citus.

    Tables that are already distributed stay unchanged.
    """
    from uptake import wiring

    done = []
    for name, statement in wiring.distribute(options.settings):
        done.append({"table": name, "statement": statement})
        if not json:
            echo(f"{name}: {statement}")
    summary = f"Distributed {len(done)} tables." if done else "All tables are already distributed."
    print_result(done, summary, json=json)
