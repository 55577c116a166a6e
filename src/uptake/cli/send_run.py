"""Runs one sending: stops it when told, shows it, and says what came of it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import typer
from msgspec import structs

from uptake.cli.send_options import Common, key_of
from uptake.cli.send_progress import showing
from uptake.cli.terminal import Failed, echo, note, print_json, warn

# What sends is loaded when something is to be sent: it would double the time of other commands.
if TYPE_CHECKING:
    from uptake.uploader.library import Uploader
    from uptake.uploader.tally import Summary

COUNTS = {
    "acknowledged": "acknowledged now",
    "known": "acknowledged before",
    "repeated": "repeated or replaced in the sources",
    "to_send": "to be sent",
    "refused": "refused",
    "refused_before": "refused before, and not sent again",
    "unreadable": "unreadable",
    "waiting": "waiting until there are enough for a request",
    "left": "left, neither sent nor answered",
}


def send(common: Common, work: Callable[["Uploader"], "Summary"]) -> int:
    """Do the work of a command; its exit status.

    Raises:
        BadParameter: a source, a wire or the address is not as it should be.
        Failed: the ledger cannot be used.
    """
    from uptake.uploader.library import Uploader  # noqa: PLC0415
    from uptake.uploader.sending.connection import WrongAddress  # noqa: PLC0415

    key = "" if common.dry_run and common.key_file is None else key_of(common.key_file)
    try:
        uploader = Uploader(
            common.to,
            key,
            ledger=common.ledger,
            parallel=common.parallel,
            refused_file=common.rejected,
            compressed=common.gzip,
            patience=common.patience,
            dry_run=common.dry_run,
            retry_refused=common.retry_refused,
        )
    except WrongAddress as error:
        raise typer.BadParameter(f"--to: {error}") from None
    with telling_errors(), _stopping(uploader.stop), showing(lambda: uploader.session):
        summary = work(uploader)
    _print(uploader, summary, as_json=common.json)
    counted = summary.dry_run and not summary.unreadable and not summary.stopped
    return 0 if summary.complete or counted else 1


@contextmanager
def telling_errors() -> Iterator[None]:
    """What the uploader raises, as the command line tells it."""
    from uptake.uploader.ledger import LedgerUnusable  # noqa: PLC0415
    from uptake.uploader.sending.connection import WrongAddress  # noqa: PLC0415
    from uptake.uploader.sending.job import Halt  # noqa: PLC0415
    from uptake.uploader.sources import UnknownSource  # noqa: PLC0415
    from uptake.uploader.verify.server import Unreachable  # noqa: PLC0415
    from uptake.uploader.wires import UnknownWire  # noqa: PLC0415

    try:
        yield
    except UnknownWire as error:
        raise typer.BadParameter(f"--as {error}") from None
    except WrongAddress as error:
        raise typer.BadParameter(f"--to: {error}") from None
    except UnknownSource as error:
        raise typer.BadParameter(str(error)) from None
    except (LedgerUnusable, Halt, Unreachable) as error:
        raise Failed(str(error)) from None


@contextmanager
def _stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C or termination stop cleanly, and the second at once."""

    def told(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        note("", "stopping; what is under way is waited for")
        stop()

    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(uploader: "Uploader", summary: "Summary", *, as_json: bool) -> None:
    if as_json:
        print_json({**structs.asdict(summary), "complete": summary.complete})
    elif summary.acknowledged or not summary.stopped:
        _print_counts(summary)
    session = uploader.session
    faults = [] if session is None else session.tally.faults
    for name in [] if session is None else session.tally.skipped_files:
        warn(name)
    for fault in faults:
        warn(fault)
    missed = summary.unreadable + summary.refused + summary.refused_before
    if summary.refused_file:
        more = f"all {missed:,} of them are" if missed > len(faults) else "they are"
        warn(f"{more} in {summary.refused_file}, to be corrected and sent again")
    for notice in summary.notices:
        warn(notice)
    if summary.stopped:
        warn(summary.stopped)


def _print_counts(summary: "Summary") -> None:
    lines = [(summary.read, "read")]
    lines += [(count, f"skipped: {why}") for why, count in summary.skipped_for.items()]
    lines += [(getattr(summary, name), words) for name, words in COUNTS.items()]
    told = [(f"{count:,}", words) for i, (count, words) in enumerate(lines) if count or not i]
    width = max(len(count) for count, _ in told)
    for count, words in told:
        echo(f"{count:>{width}} {words}")
    rate = round(summary.acknowledged / max(summary.seconds, 0.001))
    again = f", {summary.retries:,} tried again" if summary.retries else ""
    if summary.acknowledged:
        took = f"{summary.seconds:.1f} s, {rate:,} items a second"
        echo(f"{summary.requests:,} requests{again}, {took}")
    elif summary.dry_run:
        echo(f"{summary.requests:,} requests would be made")
