"""`uptake send status` and `verify`: what the ledger says, and whether the server agrees."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console

from uptake.cli.send_options import (
    As,
    Delimiter,
    Device,
    Duration,
    KeyFile,
    LedgerFile,
    Map,
    Metric,
    SkipRows,
    Sources,
    TimeUnit,
    To,
    Unit,
    User,
    key_of,
    sample_options,
)
from uptake.cli.send_run import telling_errors
from uptake.cli.terminal import Json, echo, print_json, print_table, warn

if TYPE_CHECKING:
    from uptake.uploader.verify.check import Gap, Verification

SHOWN = 20
"""Gaps that are printed; with `--json`, all are."""

COUNTS = {
    "found": "are held",
    "missing": "are missing",
    "different": "are held with another value",
    "refused": "were refused, and are not expected",
    "unreadable": "cannot be read",
    "unclear": "have no time or user by which to look for them",
    "more": "are held besides, on the same days",
    "forgotten": "will be sent again",
}


def status(
    to: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="Of this URL's ledger only.")
    ] = None,
    ledger: LedgerFile = None,
    *,
    json: Json = False,
) -> None:
    """Show what became of everything that was ever sent, endpoint by endpoint."""
    from uptake.uploader.ledger import read_ledger  # noqa: PLC0415
    from uptake.uploader.ledger.standing import standings  # noqa: PLC0415

    found = []
    with telling_errors():
        for path in _ledgers(to, ledger):
            opened = read_ledger(path)
            try:
                found += [(path, standing) for standing in standings(opened)]
            finally:
                opened.close()
    shown = [{**msgspec.structs.asdict(one), "ledger": str(path)} for path, one in found]
    if json:
        print_json(shown)
    else:
        names = ["url", "wire", "acknowledged", "sent", "pending", "waiting", "refused"]
        names += ["attempts", "runs", "last_run"]
        print_table(names, [[one[name] for name in names] for one in shown])


def _ledgers(to: str | None, ledger: Path | None) -> list[Path]:
    from uptake.uploader.places import default_ledger  # noqa: PLC0415
    from uptake.uploader.sending.connection import destination  # noqa: PLC0415

    if ledger is not None:
        if not ledger.exists():
            raise typer.BadParameter(f"there is no ledger {ledger}")
        return [ledger]
    if to is not None:
        return [default_ledger(destination(to))]
    return sorted(default_ledger(destination("http://localhost")).parent.glob("*.ledger"))


def verify(  # noqa: PLR0913, PLR0917 - one parameter an option
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
    *,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Have the ledger forget what is missing: it is sent again."),
    ] = False,
    json: Json = False,
) -> int:
    """Compare samples with what an Uptake server holds; the key needs the scope data:read."""
    from uptake.uploader.library import Uploader  # noqa: PLC0415

    options = sample_options(
        user, maps, metric, unit, device, duration, time_unit, delimiter, skip_rows
    )
    key = key_of(key_file)
    console = Console(stderr=True)
    with telling_errors(), console.status("comparing") as shown:
        parts = 0

        def step() -> None:
            nonlocal parts
            parts += 1
            shown.update(f"comparing, part {parts:,}")

        result = Uploader(to, key, ledger=ledger).verify_samples(
            *sources,
            wire=wire,
            forget=forget,
            step=step,
            **options,
        )
    if json:
        print_json({**msgspec.structs.asdict(result), "complete": result.complete})
    else:
        _print(result)
    return 0 if result.complete else 1


def _print(result: "Verification") -> None:
    echo(f"{result.expected:,} samples of {result.users:,} users are expected")
    for name, words in COUNTS.items():
        count = getattr(result, name)
        if count or name == "found":
            echo(f"{count:,} {words}")
    for gap in result.gaps[:SHOWN]:
        echo(_line(gap))
    if len(result.gaps) > SHOWN:
        echo(f"and {len(result.gaps) - SHOWN:,} more such days; --json lists all")
    if any(gap.acknowledged for gap in result.gaps) and not result.forgotten:
        warn("some of this was acknowledged; with --forget the next send sends it again")


def _line(gap: "Gap") -> str:
    where = ", ".join(f"{place.file}:{place.line}" for place in gap.samples)
    lacking = " and ".join(
        f"{count:,} {words}"
        for count, words in ((gap.missing, "missing"), (gap.different, "different"))
        if count
    )
    return (
        f"  {gap.user_id} {gap.metric} {gap.device_name} {gap.day}:"
        f" {lacking} of {gap.expected:,} ({where})"
    )
