"""`uptake sql`: query a project's data with SQL."""

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import Annotated, Any, Literal

import typer

from uptake.cli.options import ServicesOptions, option, zone_of
from uptake.cli.terminal import Failed, Json, binary_output, echo, note, print_table, warn
from uptake.exports import InvalidExport
from uptake.http.parameter_groups import expand_groups
from uptake.reading import SAMPLE_ZONE

MAX_ROWS = 1000
"""Rows of a table on a terminal; CSV and JSON have all rows."""

COMMANDS = ".tables, .schema [TABLE], .quit"
"""The commands at the prompt."""

PROMPT = "uptake> "
CONTINUED = "   ...> "

Run = Callable[[str], None]
"""Runs a query and prints the result."""


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
    options: ServicesOptions,
    result: ResultOptions,
    query: Annotated[
        str | None,
        typer.Argument(
            metavar="[QUERY]",
            help="SQL query on samples, daily, profiles, documents, rejections and users;"
            " - for standard input.",
            show_default=False,
        ),
    ] = None,
    *,
    interactive: Annotated[
        bool, option("--interactive", "Read queries at a prompt on a terminal.")
    ] = False,
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
    from uptake.reading.audit import record_export

    form = result.form()
    if (query is None) != interactive:
        raise typer.BadParameter("give either a query, - for standard input, or --interactive")
    if interactive and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise typer.BadParameter(
            "--interactive needs a terminal: pass the query, or pipe it to `uptake sql -`"
        )
    clock = zone_of(zone)
    with options.open_services() as services:

        def run(text: str) -> None:
            store, blobs = services.store, services.blobs
            record_export(store, options.project, None, {"kind": "sql"})
            with run_query(store, blobs, options.project, text, clock) as batches:
                if form == "csv":
                    print_csv(batches, binary_output())
                elif form == "json":
                    print_json(batches, binary_output())
                else:
                    _print_rows(*rows_of(batches))

        try:
            if query is None:
                _prompt(run)
            else:
                run(sys.stdin.read() if query == "-" else query)
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


def _prompt(run: Run) -> None:
    """Run queries, each of which ends with a semicolon, and commands until `.quit` or Ctrl-D.

    Every query has a snapshot of its own. Ctrl-C discards the query, also while it runs.

    Raises:
        InvalidExport: DuckDB is not installed.
    """
    from uptake.exports.query import load_duckdb

    with suppress(ImportError):
        import_module("readline")  # `input` then has history
    note(f"DuckDB {load_duckdb().__version__}. End a query with a semicolon. Commands: {COMMANDS}")
    lines: list[str] = []
    while True:
        try:
            line = input(CONTINUED if lines else PROMPT)
            if not lines and line.startswith("."):
                if line.strip() == ".quit":
                    return
                _command(run, *line.split())
                continue
            if line.strip() or lines:
                lines.append(line)
            if line.rstrip().endswith(";"):
                text, lines = "\n".join(lines), []
                _reporting(run, text)
        except EOFError:
            echo("")
            return
        except KeyboardInterrupt:
            echo("")
            lines = []
        except UnicodeDecodeError:
            warn("the line is not UTF-8")


def _command(run: Run, name: str, *tables: str) -> None:
    from uptake.exports.query import TABLES

    if name == ".tables" and not tables:
        echo(*TABLES)
    elif name == ".schema" and set(tables) <= TABLES.keys():
        columns = 'column_name AS "column", column_type AS type'
        parts = (
            f"SELECT '{table}' AS \"table\", {columns} FROM (DESCRIBE {table})"  # noqa: S608 - a known name
            for table in tables or TABLES
        )
        _reporting(run, " UNION ALL ".join(parts))
    elif name == ".schema":
        warn(f"there is no table {' '.join(tables)!r}; the tables are {', '.join(TABLES)}")
    else:
        warn(f"there is no command {name!r}; the commands are {COMMANDS}")


def _reporting(run: Run, text: str) -> None:
    """Run a query, and report an error in one line."""
    from uptake.blobs import BlobsUnavailable
    from uptake.exports.query import QueryFailed
    from uptake.store.base import StoreUnavailable

    try:
        run(text)
    except (QueryFailed, InvalidExport, StoreUnavailable, BlobsUnavailable) as error:
        warn(str(error))
