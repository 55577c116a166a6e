"""The options of `uptake send`, in groups that its commands share."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from uptake.cli.durations import parse_duration
from uptake.cli.terminal import Json
from uptake.samples.metrics import METRICS

KEY_VARIABLE = "UPTAKE_KEY"
MAX_KEY_FILE = 64 * 1024
"""Bytes of a file with a key that are read: far more than any key has."""

NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
"""Characters that are hard to type in a shell, by name."""

Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE",
        show_default=False,
        help="Files, folders or zip archives; - is standard input.",
    ),
]


def receiver_option(flag: str, **properties: Any) -> Any:
    """An option of where to send."""
    return typer.Option(flag, rich_help_panel="Receiver", **properties)


def _contents_option(flag: str, **properties: Any) -> Any:
    return typer.Option(flag, rich_help_panel="Contents of the files", **properties)


LedgerFile = Annotated[
    Path | None,
    receiver_option("--ledger", help="File of the ledger; by default one for each URL."),
]


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send, and with which key."""

    to: Annotated[
        str,
        receiver_option(
            "--to",
            metavar="URL",
            envvar="UPTAKE_URL",
            help="Base URL, such as http://localhost:8000.",
        ),
    ]
    key_file: Annotated[
        Path | None,
        receiver_option(
            "--key-file",
            envvar="UPTAKE_KEY_FILE",
            help=f"File with the key; default: the variable {KEY_VARIABLE}.",
        ),
    ] = None

    def key(self) -> str:
        """The key, from its file or the environment.

        Raises:
            BadParameter: there is no key, or it is not valid.
        """
        from uptake.uploader.sending.connection import InvalidKey, checked_key

        if self.key_file is None:
            key = os.environ.get(KEY_VARIABLE, "")
            where = f"the variable {KEY_VARIABLE}"
        else:
            where = f"the file {self.key_file}"
            try:
                with self.key_file.open("rb") as file:
                    key = file.read(MAX_KEY_FILE).decode()
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise typer.BadParameter(f"{where} cannot be read: {reason}") from None
            except ValueError:
                raise typer.BadParameter(f"{where} is not UTF-8 text with one key") from None
        if not key.strip():
            raise typer.BadParameter(
                f"there is no key: name a file with it by --key-file, or set {KEY_VARIABLE}"
            )
        try:
            return checked_key(key)
        except InvalidKey as error:
            raise typer.BadParameter(f"{where}: {error}") from None


@dataclass(frozen=True, slots=True)
class Receiver(Target):
    """Where to send, and with which key and ledger."""

    ledger: LedgerFile = None


@dataclass(frozen=True, slots=True)
class SendOptions(Receiver):
    """How to send."""

    parallel: Annotated[
        int, typer.Option("--parallel", min=1, max=64, help="Maximum number of requests in flight.")
    ] = 8
    refused_file: Annotated[
        Path,
        typer.Option(
            "--refused",
            help="File for rejected and unreadable rows, with the reasons; CSV rows get .csv.",
        ),
    ] = Path("uptake-refused.ndjson")
    compressed: Annotated[
        bool | None,
        typer.Option(
            "--gzip/--no-gzip",
            help="Compress requests; by default if a receiver on another machine accepts that.",
            show_default=False,
        ),
    ] = None
    patience: Annotated[
        float,
        typer.Option(
            "--patience", min=0, help="Give up retrying a request after this many seconds."
        ),
    ] = 300.0
    retry_refused: Annotated[
        bool, typer.Option("--retry-refused", help="Send again what was rejected before.")
    ] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read, compare and count; send and record nothing.")
    ] = False
    json: Json = False


@dataclass(frozen=True, slots=True)
class ItemFiles:
    """What files of items do not have."""

    user: Annotated[
        str | None, typer.Option("--user", help="Default user id for rows without one.")
    ] = None
    maps: Annotated[
        list[str] | None,
        _contents_option("--map", metavar="NAME=COLUMN", help="The files' column for a name."),
    ] = None

    def arguments(self) -> Any:
        """Arguments of the library.

        Raises:
            BadParameter: an option has no valid value.
        """
        columns = {}
        for given in self.maps or []:
            name, equals, column = given.partition("=")
            if not (name and equals and column):
                raise typer.BadParameter(f"--map {given!r}: a name and a column: value=steps_count")
            columns[name] = column
        return {"user": self.user, "columns": columns}


@dataclass(frozen=True, slots=True)
class TableFiles(ItemFiles):
    """What files with a row for each item do not have."""

    delimiter: Annotated[
        str | None,
        _contents_option(
            "--delimiter",
            metavar="CHAR",
            help="Separator of CSV cells, or tab; by default what fits the header and the rows.",
        ),
    ] = None
    skip_rows: Annotated[
        int,
        _contents_option("--skip-rows", min=0, metavar="N", help="Lines of CSV before the header."),
    ] = 0
    encoding: Annotated[
        str | None,
        _contents_option("--encoding", help="Encoding of CSV, e.g. cp1252. By default UTF-8."),
    ] = None

    def arguments(self) -> Any:
        """Arguments of the library."""
        delimiter = self.delimiter and NAMED_DELIMITERS.get(self.delimiter.lower(), self.delimiter)
        items = ItemFiles.arguments(self)
        return {
            **items,
            "delimiter": delimiter,
            "skip_rows": self.skip_rows,
            "encoding": self.encoding,
        }


@dataclass(frozen=True, slots=True)
class SampleFiles(TableFiles):
    """What files of samples do not have, and the wire to send them with."""

    wire: Annotated[
        str,
        _contents_option("--as", metavar="WIRE", help="gerosense-v2.2 or gerosense-v1.1."),
    ] = "gerosense-v2.2"
    metric: Annotated[
        str | None,
        _contents_option(
            "--metric", help=f"Default metric for samples without one: {' or '.join(METRICS)}."
        ),
    ] = None
    unit: Annotated[
        str | None,
        _contents_option("--unit", help="Default unit for samples without one."),
    ] = None
    device: Annotated[
        str | None,
        _contents_option("--device", help="Default device name for samples without one."),
    ] = None
    duration: Annotated[
        str | None,
        _contents_option(
            "--duration",
            metavar="SPAN",
            help="Duration of samples without an end: 1m, 30s, 1h. By default they have no end.",
        ),
    ] = None
    time_unit: Annotated[
        str | None,
        _contents_option(
            "--time-unit",
            metavar="UNIT",
            help="Unit of times that are numbers since 1970: s, ms, us or ns.",
        ),
    ] = None

    def arguments(self) -> Any:
        """Arguments of the library."""
        names = ("wire", "metric", "unit", "device", "time_unit")
        duration = None if self.duration is None else parse_duration("--duration", self.duration)
        given = {name: getattr(self, name) for name in names}
        return {**TableFiles.arguments(self), **given, "duration": duration}


@dataclass(frozen=True, slots=True)
class ImageFiles(TableFiles):
    """What folders and tables of images do not have."""

    root: Annotated[
        Path | None,
        _contents_option(
            "--root",
            help="Folder below which the files named by a table must be; default: the table's own.",
        ),
    ] = None

    def arguments(self) -> Any:
        """Arguments of the library."""
        return {**TableFiles.arguments(self), "root": self.root}


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFiles(ItemFiles):
    """What files of documents do not have."""

    type_name: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Document type of all of them.")
    ]

    def arguments(self) -> Any:
        """Arguments of the library."""
        return {**ItemFiles.arguments(self), "type_name": self.type_name}
