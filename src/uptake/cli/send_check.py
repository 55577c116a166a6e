"""`uptake send status` and `verify`: the state of the ledger, and whether the server agrees."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from uptake.cli.send_options import LedgerFile, Receiver, SampleFiles, Sources, receiver_option
from uptake.cli.send_run import translated_errors
from uptake.cli.terminal import Json, echo, print_json, print_table, quantity, warn

if TYPE_CHECKING:
    from uptake.uploader.verify.check import Gap, Verification

SHOWN = 20
"""Gaps that are printed; with `--json`, all are."""

COUNTS = {
    "found": "are stored",
    "missing": "are missing",
    "different": "are stored with another value",
    "refused": "were rejected, and are not expected",
    "unreadable": "cannot be read",
    "unclear": "have no time or user to find them by",
    "more": "others are stored on the same days",
    "forgotten": "will be sent again",
}


def status(
    to: Annotated[
        str | None,
        receiver_option("--to", metavar="URL", help="Only the ledger of this URL."),
    ] = None,
    ledger: LedgerFile = None,
    *,
    json: Json = False,
) -> None:
    """Show the state of everything that was ever sent, endpoint by endpoint."""
    from uptake.uploader.ledger import read_ledger
    from uptake.uploader.ledger.runs import statuses

    shown = []
    with translated_errors():
        for path in _ledgers(to, ledger):
            opened = read_ledger(path)
            try:
                found = map(msgspec.structs.asdict, statuses(opened))
                shown += [{**one, "ledger": str(path)} for one in found]
            finally:
                opened.close()
    if json:
        print_json(shown)
    else:
        names = ["url", "wire", "acknowledged", "sent", "pending", "waiting", "refused"]
        names += ["attempts", "runs", "last_run"]
        print_table(names, [[one[name] for name in names] for one in shown])


def _ledgers(to: str | None, ledger: Path | None) -> list[Path]:
    from uptake.uploader.ledger import default_path
    from uptake.uploader.sending.connection import destination

    if ledger is not None:
        if not ledger.exists():
            raise typer.BadParameter(f"there is no ledger {ledger}")
        return [ledger]
    if to is not None:
        return [default_path(destination(to))]
    return sorted(default_path(destination("http://localhost")).parent.glob("*.ledger"))


def verify(
    sources: Sources,
    receiver: Receiver,
    files: SampleFiles,
    *,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget", help="Remove missing samples from the ledger: they are sent again."
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Compare samples with those stored by an Uptake server; the key needs the scope data:read."""
    from rich.console import Console

    from uptake.uploader.library import Uploader

    arguments, key = files.arguments(), receiver.key()
    console = Console(stderr=True)
    with translated_errors(), console.status("comparing") as shown:
        parts = 0

        def step() -> None:
            nonlocal parts
            parts += 1
            shown.update(f"comparing, part {parts:,}")

        uploader = Uploader(receiver.to, key, ledger=receiver.ledger)
        result = uploader.verify_samples(*sources, forget=forget, step=step, **arguments)
    if json:
        print_json({**msgspec.structs.asdict(result), "complete": result.complete})
    else:
        _print(result)
    return 0 if result.complete else 1


def _print(result: "Verification") -> None:
    samples = quantity(result.expected, "sample")
    verb = "is" if result.expected == 1 else "are"
    echo(f"{samples} of {quantity(result.users, 'user')} {verb} expected")
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
    counts = ((gap.missing, "missing"), (gap.different, "different"))
    lacking = " and ".join(f"{count:,} {words}" for count, words in counts if count)
    return (
        f"  {gap.user_id} {gap.metric} {gap.device_name} {gap.day}:"
        f" {lacking} of {gap.expected:,} ({where})"
    )
