"""`uptake send`: what people have, to an endpoint, everything once."""

from pathlib import Path
from typing import Annotated

import typer

from uptake.cli import send_check
from uptake.cli.send_options import (
    REJECTED_FILE,
    As,
    Common,
    Delimiter,
    Device,
    DryRun,
    Duration,
    Gzip,
    KeyFile,
    LedgerFile,
    Map,
    Metric,
    Parallel,
    Patience,
    Rejected,
    RetryRejected,
    SkipRows,
    Sources,
    TimeUnit,
    To,
    Unit,
    User,
    columns_of,
    sample_options,
    table_options,
)
from uptake.cli.send_run import send
from uptake.cli.terminal import Json

PARALLEL = 8
PATIENCE = 300.0

app = typer.Typer(
    help="Send files to Uptake or to a vendor: everything once, over a ledger.",
    no_args_is_help=True,
)
app.command("status")(send_check.status)
app.command("verify")(send_check.verify)


@app.command()
def samples(  # noqa: PLR0913, PLR0917 - one parameter an option
    sources: Sources,
    to: To,
    key_file: KeyFile = None,
    user: User = None,
    wire: As = "gerosense-v2.2",
    maps: Map = None,
    metric: Metric = None,
    unit: Unit = None,
    device: Device = None,
    duration: Duration = None,
    time_unit: TimeUnit = None,
    delimiter: Delimiter = None,
    skip_rows: SkipRows = 0,
    ledger: LedgerFile = None,
    parallel: Parallel = PARALLEL,
    rejected: Rejected = REJECTED_FILE,
    gzip: Gzip = None,
    patience: Patience = PATIENCE,
    *,
    retry_refused: RetryRejected = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Send samples: Apple Health exports, NDJSON, CSV, Parquet."""
    options = sample_options(
        user, maps, metric, unit, device, duration, time_unit, delimiter, skip_rows
    )
    common = Common(
        to, key_file, ledger, parallel, rejected, retry_refused, gzip, patience, dry_run, json
    )
    return send(common, lambda u: u.send_samples(*sources, wire=wire, **options))


@app.command()
def profiles(  # noqa: PLR0913, PLR0917 - one parameter an option
    sources: Sources,
    to: To,
    key_file: KeyFile = None,
    user: User = None,
    maps: Map = None,
    delimiter: Delimiter = None,
    skip_rows: SkipRows = 0,
    ledger: LedgerFile = None,
    parallel: Parallel = PARALLEL,
    rejected: Rejected = REJECTED_FILE,
    gzip: Gzip = None,
    patience: Patience = PATIENCE,
    *,
    retry_refused: RetryRejected = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Send attributes: CSV, NDJSON or Parquet with user_id and a column for each attribute."""
    options = table_options(user, maps, delimiter, skip_rows)
    common = Common(
        to, key_file, ledger, parallel, rejected, retry_refused, gzip, patience, dry_run, json
    )
    return send(common, lambda u: u.send_profiles(*sources, **options))


@app.command()
def documents(  # noqa: PLR0913, PLR0917 - one parameter an option
    sources: Sources,
    to: To,
    type_name: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Document type of all of them.")
    ],
    key_file: KeyFile = None,
    user: User = None,
    maps: Map = None,
    ledger: LedgerFile = None,
    parallel: Parallel = PARALLEL,
    rejected: Rejected = REJECTED_FILE,
    gzip: Gzip = None,
    patience: Patience = PATIENCE,
    *,
    retry_refused: RetryRejected = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Send documents of a type: NDJSON, or a folder of JSON files."""
    columns = columns_of(maps)
    common = Common(
        to, key_file, ledger, parallel, rejected, retry_refused, gzip, patience, dry_run, json
    )
    return send(common, lambda u: u.send_documents(type_name, *sources, user=user, columns=columns))


@app.command()
def images(  # noqa: PLR0913, PLR0917 - one parameter an option
    sources: Sources,
    to: To,
    key_file: KeyFile = None,
    user: User = None,
    maps: Map = None,
    delimiter: Delimiter = None,
    skip_rows: SkipRows = 0,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            help="Folder below which the files that a table names must be; else the table's own.",
        ),
    ] = None,
    ledger: LedgerFile = None,
    parallel: Parallel = PARALLEL,
    rejected: Rejected = REJECTED_FILE,
    gzip: Gzip = None,
    patience: Patience = PATIENCE,
    *,
    retry_refused: RetryRejected = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Send images: a folder of them, or a table of users and paths."""
    options = table_options(user, maps, delimiter, skip_rows)
    common = Common(
        to, key_file, ledger, parallel, rejected, retry_refused, gzip, patience, dry_run, json
    )
    return send(common, lambda u: u.send_images(*sources, root=root, **options))
