"""The options that the commands of `uptake send` share."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uptake.cli.durations import parse_duration
from uptake.samples.metrics import METRICS

if TYPE_CHECKING:
    from uptake.uploader.sources.opening import SampleOptions, TableOptions

KEY_VARIABLE = "UPTAKE_KEY"
MAX_KEY_FILE = 64 * 1024
"""Bytes of a file with a key that are read: far more than any key has."""

REJECTED_FILE = Path("uptake-refused.ndjson")

Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE",
        show_default=False,
        help="Files, folders or zip archives; - is standard input.",
    ),
]
To = Annotated[
    str, typer.Option("--to", metavar="URL", help="Base URL, such as http://localhost:8000.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", help=f"File with the key; else the variable {KEY_VARIABLE}."),
]
User = Annotated[
    str | None, typer.Option("--user", help="Whom items are about that do not say it.")
]
LedgerFile = Annotated[
    Path | None,
    typer.Option("--ledger", help="File of the ledger; by default one for each URL."),
]
Parallel = Annotated[
    int, typer.Option("--parallel", min=1, max=64, help="Requests under way at a time, at most.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Read, compare and count; send and note nothing.")
]
As = Annotated[str, typer.Option("--as", metavar="WIRE", help="gerosense-v2.2 or gerosense-v1.1.")]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="NAME=COLUMN", help="Column of the files for a name."),
]
Metric = Annotated[
    str | None,
    typer.Option("--metric", help=f"Metric of samples without one: {' or '.join(METRICS)}."),
]
Unit = Annotated[str | None, typer.Option("--unit", help="For samples that do not say it.")]
Device = Annotated[
    str | None, typer.Option("--device", help="Device name of samples that do not say it.")
]
Duration = Annotated[
    str | None,
    typer.Option(
        "--duration",
        metavar="SPAN",
        help="How long samples without an end last: 1m, 30s, 1h. Else they have no end.",
    ),
]
TimeUnit = Annotated[
    str | None,
    typer.Option(
        "--time-unit",
        metavar="UNIT",
        help="s, ms, us or ns: times that are numbers count these since 1970.",
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHAR",
        help="Between the cells of CSV, or tab; by default what fits the header and the rows.",
    ),
]
SkipRows = Annotated[
    int, typer.Option("--skip-rows", min=0, metavar="N", help="Lines of CSV before the header.")
]
Rejected = Annotated[
    Path, typer.Option("--refused", help="Where refused items go, with the reasons.")
]
RetryRejected = Annotated[
    bool, typer.Option("--retry-refused", help="Send again what was refused before.")
]
Gzip = Annotated[
    bool | None,
    typer.Option(
        "--gzip/--no-gzip",
        help="Compress requests; by default if the other side says it takes that and is elsewhere.",
        show_default=False,
    ),
]
Patience = Annotated[
    float,
    typer.Option(
        "--patience", min=0, help="Seconds for which a request is tried that does not go well."
    ),
]


@dataclass(frozen=True, slots=True)
class Common:
    """What every command that sends can be told."""

    to: str
    key_file: Path | None
    ledger: Path | None
    parallel: int
    rejected: Path
    retry_refused: bool
    gzip: bool | None
    patience: float
    dry_run: bool
    json: bool


def key_of(key_file: Path | None) -> str:
    """The key, from its file or the environment.

    Raises:
        BadParameter: there is none, or it cannot be one.
    """
    from uptake.uploader.sending.keys import InvalidKey, checked_key  # noqa: PLC0415

    if key_file is None:
        key = os.environ.get(KEY_VARIABLE, "")
        where = f"the variable {KEY_VARIABLE}"
    else:
        where = f"the file {key_file}"
        try:
            with key_file.open("rb") as file:
                key = file.read(MAX_KEY_FILE).decode()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise typer.BadParameter(f"{where} cannot be read: {reason}") from None
        except ValueError:
            raise typer.BadParameter(f"{where} is not UTF-8 text with one key") from None
    if not key.strip():
        raise typer.BadParameter(
            f"there is no key: --key-file names a file with it, or {KEY_VARIABLE} holds it"
        )
    try:
        return checked_key(key)
    except InvalidKey as error:
        raise typer.BadParameter(f"{where}: {error}") from None


NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
"""Characters that are hard to type in a shell, by name."""


def table_options(
    user: str | None, maps: list[str] | None, delimiter: str | None, skip_rows: int
) -> "TableOptions":
    """What the files of a table do not say.

    Raises:
        BadParameter: an option is not of its form.
    """
    return {
        "user": user,
        "columns": columns_of(maps),
        "delimiter": delimiter and NAMED_DELIMITERS.get(delimiter.lower(), delimiter),
        "skip_rows": skip_rows,
    }


def sample_options(  # noqa: PLR0913, PLR0917 - one parameter an option
    user: str | None,
    maps: list[str] | None,
    metric: str | None,
    unit: str | None,
    device: str | None,
    duration: str | None,
    time_unit: str | None,
    delimiter: str | None,
    skip_rows: int,
) -> "SampleOptions":
    """What the files of samples do not say.

    Raises:
        BadParameter: an option is not of its form.
    """
    return {
        **table_options(user, maps, delimiter, skip_rows),
        "metric": metric,
        "unit": unit,
        "device": device,
        "duration": None if duration is None else parse_duration(duration),
        "time_unit": time_unit,
    }


def columns_of(maps: list[str] | None) -> dict[str, str]:
    """The columns that `--map` names.

    Raises:
        BadParameter: one is not `name=column`.
    """
    columns = {}
    for told in maps or []:
        name, equals, column = told.partition("=")
        if not (name and equals and column):
            raise typer.BadParameter(f"--map {told!r}: a name and a column: value=steps_count")
        columns[name] = column
    return columns
