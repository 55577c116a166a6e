"""One run: reads sources, sends their items to one endpoint, and counts the outcomes."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from uptake.formats.encoder import (
    AnyWire,
    DocumentsWire,
    ImagesWire,
    ProfilesWire,
    SamplesWire,
    within,
)
from uptake.uploader.context import UploadContext, UploadOptions
from uptake.uploader.items.profiles import send_profiles
from uptake.uploader.items.single import send_documents, send_images, users_fault
from uptake.uploader.ledger import open_ledger, read_ledger
from uptake.uploader.ledger.runs import Run, begin
from uptake.uploader.rejected_rows import RejectedRows
from uptake.uploader.samples.gathering import send_samples
from uptake.uploader.sending.answers import Broken
from uptake.uploader.sending.schedule import Halt, Schedule, Stopped
from uptake.uploader.sending.sender import Sender
from uptake.uploader.service import find_limits
from uptake.uploader.sources import Interrupted, Skipped, Source, Unreadable, opening
from uptake.uploader.sources.images import ImageSource
from uptake.uploader.sources.opening import Opener
from uptake.uploader.tally import Summary, Tally

MAX_QUEUED_BYTES = 32 * 1024 * 1024
"""Bytes of queued requests; reading waits while there are more."""

STOPPED = "stopped; run the same command again to continue"


@dataclass(frozen=True, slots=True)
class Feed:
    """A kind of items that can be sent.

    Attributes:
        sources: opens files of them.
        wire: the kind of operations that take them.
        send: makes requests of items, each with the name of its file, and puts them in the queue.
    """

    sources: Opener[Any]
    wire: type[AnyWire]
    send: Callable[[UploadContext[Any], Iterator[tuple[Any, str]]], None]


FEEDS = {
    "samples": Feed(opening.samples, SamplesWire, send_samples),
    "profiles": Feed(opening.profiles, ProfilesWire, send_profiles),
    "documents": Feed(opening.documents, DocumentsWire, send_documents),
    "images": Feed(opening.images, ImagesWire, send_images),
}
"""What can be sent; the commands of `uptake send` have the same names."""


class Session:
    """A run; `stop` may be called from a signal handler or another thread.

    Attributes:
        tally: the counts so far.
        step: what is done after everything was sent; "" before.
    """

    def __init__(
        self,
        options: UploadOptions,
        sources: Sequence[Source[Any]],
        columns: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a run; `columns` are names of the wire to those of the sources."""
        self.tally = Tally()
        self.step = ""
        self._options = options
        self._sources = sources
        self._rejected_rows = RejectedRows(options.rejected_path, columns)
        self._notices: list[str] = []
        self._began = monotonic()
        self._stop = threading.Event()
        self._sender: Sender | None = None
        self._halted = ""

    def run(self, feed: Feed, wire: AnyWire, type_name: str = "") -> Summary:
        """Send the sources' items; `type_name` is the type of documents.

        Raises:
            LedgerUnusable: the ledger cannot be used.
        """
        options = self._options
        opening_ledger = read_ledger if options.dry_run else open_ledger
        with closing(self._rejected_rows), closing(opening_ledger(options.ledger)) as ledger:
            run = begin(ledger, options.to.url, wire.name)
            context: UploadContext[Any] = UploadContext(
                wire,
                run,
                self.tally,
                self._rejected_rows,
                lambda _: self.tally.add(requests=1),
                options.key,
                options.retry_refused,
                type_name,
            )
            if isinstance(wire, ImagesWire):
                self._notify_of_users(wire)
            if options.dry_run:
                self._read(context, feed)
            else:
                self._send_to_service(context, feed)
            summary = self._summary(run)
            run.end(summary)
            return summary

    def _notify_of_users(self, wire: ImagesWire) -> None:
        """Name the images that cannot be sent before others are."""
        tables = (source for source in self._sources if isinstance(source, ImageSource))
        users = (one for source in tables for one in source.users())
        if fault := users_fault(wire, users):
            self._notify(fault)

    def _read(self, context: UploadContext[Any], feed: Feed) -> None:
        with suppress(Stopped):
            feed.send(context, self._items(context))

    def _send_to_service(self, context: UploadContext[Any], feed: Feed) -> None:
        """Send to the server that the ledger is for, within its limits."""
        options, run = self._options, context.run
        try:
            try:
                limits = find_limits(options, run, context.wire)
            except Broken:
                # It may be starting: the first requests are repeated until it answers.
                self._send(context, feed)
                if self._sender is None or not self._sender.halted:
                    find_limits(options, run, context.wire)
            else:
                context.wire = within(context.wire, limits)
                self._send(context, feed)
        except Halt as halt:
            self._halted = str(halt)
        except Broken as error:
            if run.server() is not None:
                self._halted = f"no answer from {options.to.url}: {error}"

    def _send(self, context: UploadContext[Any], feed: Feed) -> None:
        options = self._options
        schedule = Schedule(options.parallel, MAX_QUEUED_BYTES)
        context.put = schedule.put
        sender = self._sender = Sender(options, context.wire.credential, schedule, self.tally)
        if self._stop.is_set():
            sender.stop(STOPPED)
        sender.start()
        try:
            self._read(context, feed)
        except BaseException:
            sender.stop(STOPPED)
            raise
        finally:
            sender.finish()
        self.step = "updating the ledger"
        for finish in context.finishers:
            finish()

    def _items(self, context: UploadContext[Any]) -> Iterator[tuple[Any, str]]:
        """The readable items of the sources, each with the name of its file.

        Raises:
            Stopped: nothing more is to be sent.
        """
        for source in (part for whole in self._sources for part in whole.parts):
            is_empty = True
            try:
                for item in source():
                    is_empty = False
                    if self._stop.is_set():
                        raise Stopped
                    if isinstance(item, Unreadable):
                        context.add_unreadable(item)
                    elif isinstance(item, Skipped):
                        self.tally.skip(item)
                    else:
                        yield item, source.file
                if is_empty:
                    self._notify(f"{source.file}: has no rows; there is nothing to send")
            except Interrupted:
                raise Stopped from None
            except OSError as error:
                reason = error.strerror or str(error)
                context.add_unreadable(Unreadable(source.file, 0, f"cannot be read: {reason}"))

    def stop(self, reason: str = STOPPED) -> None:
        """Stop after the requests in flight are answered."""
        self._stop.set()
        if self._sender is not None:
            self._sender.stop(reason)

    @property
    def seconds(self) -> float:
        """Duration so far."""
        return monotonic() - self._began

    @property
    def read_part(self) -> float:
        """How much of the sources has been read, from 0 to 1; 0 when that is not known."""
        size = sum(source.size for source in self._sources)
        return min(1.0, sum(source.position for source in self._sources) / size) if size else 0.0

    def _summary(self, run: Run) -> Summary:
        tally, dry_run = self.tally, self._options.dry_run
        halted = self._halted or (self._sender.halted if self._sender else "")
        if not halted and self._sender is None and self._stop.is_set():
            halted = STOPPED
        files = self._write_rejected_rows()
        counts: dict[str, Any] = {**tally.counts(), "waiting": run.count_waiting()}
        return Summary(
            **counts,
            skipped_for=dict(tally.skipped_for),
            left=0 if dry_run else tally.left,
            to_send=tally.left if dry_run else 0,
            seconds=round(self.seconds, 3),
            stopped=halted,
            dry_run=dry_run,
            ledger=str(self._options.ledger),
            refused_file=next(iter(files), ""),
            rejected_files=tuple(files),
            notices=tuple(self._notices),
        )

    def _notify(self, notice: str) -> None:
        self._notices.append(notice)
        self._options.notify(notice)

    def _write_rejected_rows(self) -> list[str]:
        path = self._options.refused_file
        self.step = "finding the rejected rows"
        try:
            return self._rejected_rows.finish(self._sources)
        except OSError as error:
            reason = error.strerror or str(error)
            self._notify(f"the rejected rows cannot be written to {path}: {reason}")
            return []
