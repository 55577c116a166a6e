"""`uptake sql`: query a project's data with SQL."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Literal

import typer

from uptake.cli.options import ServicesOptions, option, zone_of
from uptake.cli.terminal import Failed, Json, binary_output, print_table, warn
from uptake.exports import InvalidExport
from uptake.http.parameter_groups import expand_groups
from uptake.reading import SAMPLE_ZONE

MAX_ROWS = 1000
"""Rows of a table on a terminal; CSV and JSON have all rows."""


ResultForm = Literal["table", "csv", "json"]


@dataclass(frozen=True)
class ResultOptions:
    """Options that select the form of the result."""

    format_: Annotated[
        ResultForm | None,
        option("--format", "Form of the result. Default: table. json is an array on one line."),
    ] = None
    csv: Annotated[bool, option("--csv", "The old name of --format csv.", hidden=True)] = False
    json: Json = False

    def form(self) -> ResultForm:
        """The form of the result.

        Raises:
            BadParameter: there are several.
        """
        forms: set[ResultForm] = set()
        if self.format_ is not None:
            forms.add(self.format_)
        if self.csv:
            forms.add("csv")
        if self.json:
            forms.add("json")
        if len(forms) > 1:
            raise typer.BadParameter("--format, --csv and --json are mutually exclusive")
        return forms.pop() if forms else "table"


@expand_groups
def sql(
    query: Annotated[
        str,
        typer.Argument(
            help="SQL query on samples, daily, profiles, documents, rejections and users."
        ),
    ],
    options: ServicesOptions,
    result: ResultOptions,
    *,
    zone: Annotated[
        str,
        option(
            "--zone",
            "Time zone of the days of `daily`: "
            f"IANA name, or {SAMPLE_ZONE} for the local time of each sample.",
        ),
    ] = "UTC",
) -> None:
    """Run a SQL query (DuckDB dialect) on a project's data and print the result.

    The query is read-only. All tables are of the same snapshot.
    """
    from uptake.exports.query import QueryFailed, print_csv, print_json, rows_of, run_query

    form = result.form()
    clock = zone_of(zone)
    with options.open_services() as services:
        try:
            store, blobs = services.store, services.blobs
            with run_query(store, blobs, options.project, query, clock) as batches:
                if form == "csv":
                    print_csv(batches, binary_output())
                elif form == "json":
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
        warn(f"{more:,} more rows; use --format csv or --json to print all")
