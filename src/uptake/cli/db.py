"""`uptake db`: maintenance of the database."""

from typing import TYPE_CHECKING, Annotated

import typer

from uptake.cli.options import StoreOptions
from uptake.cli.terminal import Json, echo, print_result, quantity
from uptake.http.parameter_groups import expand_groups
from uptake.model.acting import COMMAND_LINE, Act, acting

if TYPE_CHECKING:
    from uptake.store.distribution import DistributionFacts

MAX_SHARDS = 10_000
"""Most shards of a table: a query of a whole project has a task for each."""

app = typer.Typer(help="Maintain the database.")

Shards = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MAX_SHARDS,
        metavar="N",
        help="Shards of each table, when they are first distributed. [default: citus.shard_count]",
    ),
]


@app.command()
@expand_groups
def distribute(options: StoreOptions, *, shards: Shards = None, json: Json = False) -> None:
    """Distribute the tables over the nodes of PostgreSQL with Citus.

    Tables that are already distributed stay unchanged. Stop the servers first, and start them
    again afterwards.
    """
    from uptake import wiring

    done = []
    with acting(Act(COMMAND_LINE)):
        for name, statement in wiring.distribute(options.settings, shards):
            done.append({"table": name, "statement": statement})
            if not json:
                echo(f"{name}: {statement}")
    facts = wiring.check_distribution(options.settings)
    tables = quantity(len(done), "table")
    summary = f"Distributed {tables}" if done else "All tables are already distributed"
    print_result(done, f"{summary}: {_shards(facts)}.", json=json)


@app.command()
@expand_groups
def check(options: StoreOptions, *, json: Json = False) -> None:
    """Check that the tables are distributed as they should be.

    The exit status is 1 if a table is misplaced, or a node has an unsafe setting.
    """
    from uptake import wiring

    facts = wiring.check_distribution(options.settings)
    if not json:
        for name, placement in facts.tables.items():
            echo(f"{name}: {placement}")
        for node, has_shards in facts.nodes.items():
            echo(f"Node {node}: {'has' if has_shards else 'may have no'} shards.")
        for name, found in facts.misplaced.items():
            echo(f"{name} is {found}. Run `uptake db distribute`.")
        for fault in facts.faults:
            echo(f"{fault}.")
    problems = len(facts.misplaced) + len(facts.faults)
    summary = f"{_shards(facts)}; {quantity(problems, 'problem')}."
    print_result(facts, summary, json=json)
    if problems:
        raise typer.Exit(1)


def _shards(facts: "DistributionFacts") -> str:
    return f"{quantity(facts.shards, 'shard')}, {quantity(facts.copies, 'copy', 'copies')} of each"
