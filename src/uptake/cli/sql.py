"""`uptake sql`: query a project's data with SQL."""

from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Any

import typer

from uptake.cli.options import ServicesOptions, option, zone_of
from uptake.cli.terminal import Failed, binary_output, print_table, warn
from uptake.exports import InvalidExport
from uptake.http.parameter_groups import expand_groups
from uptake.reading import SAMPLE_ZONE

MAX_ROWS = 1000
"""Rows of a table on a terminal; CSV and JSON have all rows."""


@expand_groups
def sql(
    query: Annotated[
        str,
        typer.Argument(
            help="SQL query on samples, daily, profiles, documents, rejections and users."
        ),
    ],
    options: ServicesOptions,
    *,
    zone: Annotated[
        str,
        option(
            "--zone",
            "Time zone of the days of `daily`: "
            f"IANA name, or {SAMPLE_ZONE} for the local time of each sample.",
        ),
    ] = "UTC",
    csv: Annotated[bool, option("--csv", "Print CSV.")] = False,
    json: Annotated[bool, option("--json", "Print a JSON array on one line.")] = False,
) -> None:
    """Run a SQL query (DuckDB dialect) on a project's data and print the result.

    The query is read-only. All tables are of the same snapshot.
    """
    from uptake.exports.query import QueryFailed, print_csv, print_json, rows_of, run_query

    if csv and json:
        raise typer.BadParameter("--csv and --json are mutually exclusive")
    clock = zone_of(zone)
    with options.open_services() as services:
        try:
            store, blobs = services.store, services.blobs
            with run_query(store, blobs, options.project, query, clock) as batches:
                if csv:
                    print_csv(batches, binary_output())
                elif json:
                    print_json(batches, binary_output())
                else:
                    _print_rows(*rows_of(batches))
        except InvalidExport as error:
            raise typer.BadParameter(str(error)) from None
        except QueryFailed as error:
            raise Failed(str(error)) from error


def _print_rows(names: list[str], rows: Iterable[list[Any]]) -> None:
    left = iter(rows)
    print_table(names, list(islice(left, MAX_ROWS)))
    more = sum(1 for _ in left)
    if more:
        warn(f"{more:,} more rows; use --csv or --json to print all")
