"""Runs one upload: shows its progress, stops it on Ctrl-C, and prints its outcome."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import TYPE_CHECKING

import typer
from msgspec import structs

from uptake.cli.send_options import SendOptions
from uptake.cli.send_progress import showing
from uptake.cli.terminal import Failed, echo, note, print_json, quantity, warn

# The uploader is loaded only to send: it would double the start-up time of other commands.
if TYPE_CHECKING:
    from uptake.uploader.library import Uploader
    from uptake.uploader.tally import Summary

COUNTS = {
    "acknowledged": "acknowledged now",
    "known": "acknowledged before",
    "repeated": "repeated or replaced in the sources",
    "to_send": "to be sent",
    "refused": "rejected",
    "refused_before": "rejected before, and not sent again",
    "unreadable": "unreadable",
    "waiting": "waiting until there are enough for a request",
    "left": "left, neither sent nor answered",
}

WHOLE_FILES = (
    "files that are reported without a line number cannot be corrected in {names}: correct the"
    " files themselves and send them again"
)
"""What to do about files that cannot be read, or not to their end: only their names are written."""

TOO_FEW = (
    "a request needs at least 3 samples of one user and metric; name files with more of them in the"
    " same command, also files that were sent before"
)
"""What to do about samples that are waiting."""


def send(options: SendOptions, work: Callable[["Uploader"], "Summary"]) -> int:
    """Run a command; its exit status.

    Raises:
        BadParameter: a source, a wire or the address is not valid.
        Failed: the ledger cannot be used.
    """
    from uptake.uploader.library import Uploader

    given = asdict(options)
    key = "" if options.dry_run and options.key_file is None else options.key()
    named = {name: given[name] for name in given.keys() - {"to", "key_file", "json"}}
    with translated_errors():
        uploader = Uploader(options.to, key, notify=warn, **named)
        with _stopping(uploader.stop), showing(lambda: uploader.session):
            summary = work(uploader)
    _print(uploader, summary, as_json=options.json)
    counted = summary.dry_run and not summary.unreadable and not summary.stopped
    return 0 if summary.complete or counted else 1


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise the uploader's errors as those of the command line."""
    from uptake.uploader.ledger import LedgerUnusable
    from uptake.uploader.sending.connection import Unreachable, WrongAddress
    from uptake.uploader.sending.schedule import Halt
    from uptake.uploader.sources import UnknownSource
    from uptake.uploader.wires import UnknownWire

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

    def handle(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        note("", "stopping; waiting for the requests in flight")
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
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
    faults: list[str] = []
    if uploader.session is not None:
        faults = uploader.session.tally.faults
        for line in (*uploader.session.tally.skipped_files, *faults):
            warn(line)
    missed = summary.unreadable + summary.refused + summary.refused_before
    if summary.rejected_files:
        more = f"all {missed:,} of them are" if missed > len(faults) else "they are"
        names = " and ".join(summary.rejected_files)
        if summary.unreadable_files < missed:
            warn(f"{more} in {names}, to be corrected and sent again")
        if summary.unreadable_files:
            warn(WHOLE_FILES.format(names=names))
    if summary.waiting:
        warn(TOO_FEW)
    if summary.stopped:
        warn(summary.stopped)


def _print_counts(summary: "Summary") -> None:
    counts = [(summary.read, "read")]
    counts += [(count, f"skipped: {why}") for why, count in summary.skipped_for.items()]
    counts += [(getattr(summary, name), words) for name, words in COUNTS.items()]
    lines = [(f"{count:,}", words) for i, (count, words) in enumerate(counts) if count or not i]
    width = max(len(count) for count, _ in lines)
    for count, words in lines:
        echo(f"{count:>{width}} {words}")
    rate = round(summary.acknowledged / max(summary.seconds, 0.001))
    retries = f", {quantity(summary.retries, 'retry', 'retries')}" if summary.retries else ""
    if summary.acknowledged:
        took = f"{summary.seconds:.1f} s, {rate:,} items a second"
        echo(f"{quantity(summary.requests, 'request')}{retries}, {took}")
    elif summary.dry_run:
        echo(f"{quantity(summary.requests, 'request')} would be made")
