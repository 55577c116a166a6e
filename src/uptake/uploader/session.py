"""One run from sources to one endpoint: reads, sends, notes and counts."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from uptake.formats.encoder import AnyWire
from uptake.uploader.faults import Faults
from uptake.uploader.ledger import open_ledger, read_ledger
from uptake.uploader.ledger.runs import Run, begin
from uptake.uploader.ledger.standing import count_waiting
from uptake.uploader.sending.connection import Connection, Destination
from uptake.uploader.sending.job import Job
from uptake.uploader.sending.schedule import Schedule, Stopped
from uptake.uploader.sending.sender import Retry, Sender
from uptake.uploader.sources import Interrupted, Skipped, Source, Unreadable
from uptake.uploader.tally import Summary, Tally

ROOM = 32 * 1024 * 1024
"""Bytes of requests that wait to be sent; reading waits while there are more."""

STOPPED = "stopped; the same command again goes on where it stopped"
OTHER_KEY = (
    "the ledger was filled with another key: if that one is for another project, what it "
    "acknowledged is not in this one; name another ledger for it"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to send.

    Attributes:
        to: whom to.
        key: the secret; "" in a dry run.
        ledger: the file of the ledger.
        parallel: requests under way at a time, at most.
        refused_file: where rejected items go; None for nowhere.
        compressed: whether to compress requests; None to do so where the receiver says that it
            takes that, and is not on this machine.
        seconds: how long to wait for an answer.
        retry: when to try again.
        dry_run: read, compare and count, but neither send nor note anything.
    """

    to: Destination
    key: str = field(repr=False)
    ledger: Path
    parallel: int = 8
    refused_file: Path | None = None
    compressed: bool | None = None
    seconds: float = 60.0
    retry: Retry = field(default_factory=Retry)
    dry_run: bool = False


Put = Callable[[Job], None]


class Session:
    """A run; `stop` may be called from a signal handler or another thread.

    Attributes:
        tally: what has become of everything so far.
        faults: where rejected items are told.
        sources: what is read.
        afterwards: what is to be done when everything has an outcome, or sending has stopped.
    """

    def __init__(self, plan: Plan, sources: Sequence[Source[Any]]) -> None:
        self.plan = plan
        self.sources = sources
        self.afterwards: list[Callable[[], None]] = []
        self.tally = Tally()
        self.faults = Faults(None if plan.dry_run else plan.refused_file, self.tally)
        self._began = monotonic()
        self._stop = threading.Event()
        self._sender: Sender | None = None

    def run(self, wire: AnyWire, name: str, feed: "Feed") -> Summary:
        """Send what `feed` makes of the sources.

        Args:
            wire: how items are told.
            name: by which the ledger knows the endpoint.
            feed: reads with `read` and hands requests to its last argument.

        Raises:
            LedgerUnusable: the ledger cannot be used.
        """
        ledger = (read_ledger if self.plan.dry_run else open_ledger)(self.plan.ledger)
        try:
            run = begin(ledger, self.plan.to.url, name, self.plan.key or None)
            if self.plan.dry_run:
                self._count(run, feed)
            else:
                self._send(wire, run, feed)
                for finish in self.afterwards:
                    finish()
            summary = self._summary(run)
            run.end(summary)
            return summary
        finally:
            ledger.close()

    def _count(self, run: Run, feed: "Feed") -> None:
        try:
            feed(self, run, lambda _: self.tally.add(requests=1))
        except Stopped:
            return

    def _send(self, wire: AnyWire, run: Run, feed: Callable[["Session", Run, Put], None]) -> None:
        plan = self.plan
        schedule = Schedule(plan.parallel, ROOM)
        sender = self._sender = Sender(
            plan.to,
            lambda: Connection(plan.to, wire.credential, plan.key, plan.seconds),
            schedule,
            self.tally,
            plan.retry,
            compressed=plan.compressed,
        )
        if self._stop.is_set():
            sender.stop(STOPPED)
        sender.start()
        try:
            feed(self, run, schedule.put)
        except Stopped:
            pass
        except BaseException:
            sender.stop(STOPPED)
            raise
        finally:
            sender.finish()

    def read(self) -> Iterator[tuple[Any, str]]:
        """What the sources hold that can be read, each with the name of its file.

        Raises:
            Stopped: nothing more is to be sent.
        """
        for source in (part for whole in self.sources for part in whole.parts):
            try:
                for item in source():
                    if self._stop.is_set():
                        raise Stopped
                    if isinstance(item, Unreadable):
                        self.faults.unreadable(item)
                    elif isinstance(item, Skipped):
                        self.tally.skip(item)
                    else:
                        yield item, source.file
            except Interrupted:
                raise Stopped from None
            except OSError as error:
                reason = error.strerror or str(error)
                self.faults.unreadable(Unreadable(source.file, 0, f"cannot be read: {reason}"))

    def stop(self, reason: str = STOPPED) -> None:
        """Stop once the requests under way are answered."""
        self._stop.set()
        if self._sender is not None:
            self._sender.stop(reason)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return monotonic() - self._began

    @property
    def read_part(self) -> float:
        """How much of the sources has been read, from 0 to 1; 0 when that is not known."""
        size = sum(source.size for source in self.sources)
        return min(1.0, sum(source.position for source in self.sources) / size) if size else 0.0

    def _summary(self, run: Run) -> Summary:
        tally, sender = self.tally, self._sender
        halted = sender.halted if sender else STOPPED if self._stop.is_set() else ""
        return Summary(
            read=tally.read,
            unreadable=tally.unreadable,
            skipped=tally.skipped,
            skipped_for=dict(tally.skipped_for),
            known=tally.known,
            repeated=tally.repeated,
            refused_before=tally.refused_before,
            resumed=tally.resumed,
            acknowledged=tally.acknowledged,
            refused=tally.refused,
            waiting=count_waiting(run),
            left=0 if self.plan.dry_run else tally.left,
            requests=tally.requests,
            retries=tally.retries,
            seconds=round(self.seconds, 3),
            stopped=halted,
            to_send=tally.left if self.plan.dry_run else 0,
            dry_run=self.plan.dry_run,
            ledger=str(self.plan.ledger),
            refused_file=self.faults.finish(),
            notices=(OTHER_KEY,) if run.other_key else (),
        )


Feed = Callable[[Session, Run, Put], None]
