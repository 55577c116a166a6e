"""`uptake sql`: questions to a project's data in SQL."""

from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Any

import typer

from uptake.blobs import BlobsUnavailable
from uptake.cli.printing import Failed, print_table
from uptake.cli.store import DATA_DIR, BlobsUrl, Database, DataDir, opened_services, require_project
from uptake.cli.terminal import binary_output, warn
from uptake.exports import NotPossible
from uptake.store.base import DEFAULT_PROJECT

MOST_SHOWN = 1000
"""Rows of a table on a terminal; CSV and JSON have all."""


def sql(  # noqa: PLR0913 - one parameter an option
    query: Annotated[
        str,
        typer.Argument(help="Over samples, profiles, documents, rejections and users."),
    ],
    project: Annotated[str, typer.Option("--project", help="Whose data.")] = DEFAULT_PROJECT,
    data_dir: DataDir = DATA_DIR,
    database: Database = "",
    blobs: BlobsUrl = "",
    *,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON array on one line.")] = False,
) -> None:
    """Ask a project's data in SQL (DuckDB's), and print the answer.

    It can only read. All tables are as they are at one moment.
    """
    from uptake.exports.answers import print_csv, print_json, rows_of  # noqa: PLC0415 - Arrow
    from uptake.exports.query import QueryFailed, queried  # noqa: PLC0415 - Arrow takes a while

    if csv and json:
        raise typer.BadParameter("--csv or --json, not both")
    with opened_services(data_dir, database, blobs) as services:
        require_project(services.store, project)
        try:
            with queried(services.store, services.blobs, project, query) as batches:
                if csv:
                    print_csv(batches, binary_output())
                elif json:
                    print_json(batches, binary_output())
                else:
                    _print_some(*rows_of(batches))
        except NotPossible as error:
            raise typer.BadParameter(str(error)) from None
        except (QueryFailed, BlobsUnavailable) as error:
            raise Failed(str(error)) from error


def _print_some(names: list[str], rows: Iterable[list[Any]]) -> None:
    left = iter(rows)
    print_table(names, list(islice(left, MOST_SHOWN)))
    more = sum(1 for _ in left)
    if more:
        warn(f"{more:,} more rows; --csv and --json print all")
