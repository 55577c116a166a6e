"""The uploader as a library: sends every item once, with the help of a ledger."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Unpack

from uptake.formats.base import BEARER
from uptake.formats.encoder import SamplesWire
from uptake.uploader.context import (
    PARALLEL,
    PATIENCE,
    SECONDS,
    START,
    Retry,
    UploadOptions,
    owner_of,
)
from uptake.uploader.ledger import default_path, open_ledger, read_ledger
from uptake.uploader.ledger.runs import LedgerStatus, find, statuses
from uptake.uploader.sending.connection import Connection, checked_key, destination
from uptake.uploader.session import FEEDS, Session
from uptake.uploader.sources import (
    Interrupted,
    ItemOptions,
    SampleOptions,
    TableOptions,
    opening,
)
from uptake.uploader.tally import Summary
from uptake.uploader.verify.check import Check, Verification
from uptake.uploader.verify.server import Server
from uptake.uploader.wires import wire_of


class Uploader:
    """Sends files and folders to Uptake, or to a vendor with one of its wires.

    What was acknowledged is in a ledger: a later run sends only what is new, and an interrupted run
    is continued by the next. One run at a time; `stop` may be called from another thread or a
    signal handler.

    Args:
        url: the base URL, such as `http://localhost:8000`.
        key: the API key, without surrounding spaces; not needed for a dry run.
        ledger: its file; by default one for each URL, in the user's state folder.
        parallel: maximum number of requests in flight; one user's are sent one after the other.
        refused_file: file for rows that are rejected or cannot be read, with the reasons, to be
            corrected and sent again; none by default. Its suffix becomes that of the rows' form,
            and a name that is taken gets a number: the summary has the names.
        compressed: whether to compress requests; by default if the receiver announces that it
            accepts this and is not on this machine.
        patience: give up retrying a request after this many seconds.
        seconds: time limit of an answer.
        dry_run: read, compare with the ledger and count, but send nothing and record nothing.
        retry_refused: send again what an earlier run was rejected for.
        notify: called with each message of `Summary.notices`, as soon as there is one.

    Raises:
        WrongAddress: the URL cannot be sent to.
        InvalidKey: the key is not valid; the message does not repeat it.

    Attributes:
        session: the last run that was started, for progress displays.
    """

    def __init__(  # noqa: PLR0913 - the options of the public API
        self,
        url: str,
        key: str = "",
        *,
        ledger: Path | str | None = None,
        parallel: int = PARALLEL,
        refused_file: Path | str | None = None,
        compressed: bool | None = None,
        patience: float = PATIENCE,
        seconds: float = SECONDS,
        dry_run: bool = False,
        retry_refused: bool = False,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        to = destination(url)
        self._options = UploadOptions(
            to,
            checked_key(key),
            default_path(to) if ledger is None else Path(ledger),
            parallel,
            None if refused_file is None else Path(refused_file),
            compressed,
            seconds,
            Retry(patience=patience, start=min(patience, START)),
            dry_run,
            retry_refused,
            notify,
        )
        self._stopped = False
        self.session: Session | None = None

    def send_samples(
        self, *sources: Path | str, wire: str | None = None, **options: Unpack[SampleOptions]
    ) -> Summary:
        """Send samples: exports of devices and apps, NDJSON, CSV, Parquet.

        Args:
            sources: files, `-` for standard input, zip archives, or folders of exports.
            wire: `gerosense-v2.2` (the default) or `gerosense-v1.1`.
            options: what the files do not have, see `SampleOptions`.

        Raises:
            UnknownSource: a file does not exist, or is of no kind that can be read.
            LedgerUnusable: the ledger cannot be used.
        """
        return self.send("samples", *sources, wire=wire, **options)

    def send_profiles(self, *sources: Path | str, **options: Unpack[TableOptions]) -> Summary:
        """Send attributes: CSV, NDJSON or Parquet with `user_id` and a column for each attribute.

        Raises:
            UnknownSource: a file does not exist, or is of no kind that can be read.
            LedgerUnusable: the ledger cannot be used.
        """
        return self.send("profiles", *sources, **options)

    def send_documents(
        self, type_name: str, *sources: Path | str, **options: Unpack[ItemOptions]
    ) -> Summary:
        """Send documents of a type: NDJSON, or a folder or archive of JSON files.

        Raises:
            UnknownSource: a file does not exist, or is of no kind that can be read.
            LedgerUnusable: the ledger cannot be used.
        """
        return self.send("documents", *sources, type_name=type_name, **options)

    def send_images(
        self, *sources: Path | str, root: Path | str | None = None, **options: Unpack[TableOptions]
    ) -> Summary:
        """Send images: a folder, or a table of users and paths.

        Files that are not images, or not below the folder, are reported and not sent.

        Args:
            sources: folders, or tables in CSV, NDJSON or Parquet.
            root: the folder below which the files that a table names must be; by default the
                table's own.
            options: what the files do not have; `user` of a folder is the user of all its images.

        Raises:
            UnknownSource: a file does not exist, or is of no kind that can be read.
            LedgerUnusable: the ledger cannot be used.
        """
        folder = None if root is None else Path(root)
        return self.send("images", *sources, root=folder, **options)

    def send(
        self,
        items: str,
        *sources: Path | str,
        wire: str | None = None,
        type_name: str = "",
        **options: Any,
    ) -> Summary:
        """Send items of one kind: `samples`, `profiles`, `documents` or `images`.

        Args:
            items: the kind.
            sources: as for the method for this kind.
            wire: the name of an operation that takes such items; by default the first one.
            type_name: the type of documents.
            options: as for the method for this kind.

        Raises:
            UnknownSource: a file does not exist, or is of no kind that can be read.
            LedgerUnusable: the ledger cannot be used.
        """
        feed = FEEDS[items]
        encoder = wire_of(feed.wire, wire)
        reread = self._options.rejected_path is not None
        options = {"stopped": lambda: self._stopped, "reread": reread, **options}
        try:
            opened = [feed.sources(Path(path), **options) for path in sources]
        except Interrupted:
            opened = []
        self.session = Session(self._options, opened, options.get("columns"))
        if self._stopped:
            self.session.stop()
        return self.session.run(feed, encoder, type_name)

    def verify_samples(
        self,
        *sources: Path | str,
        wire: str | None = None,
        forget: bool = False,
        step: Callable[[], None] = lambda: None,
        **options: Unpack[SampleOptions],
    ) -> Verification:
        """Compare samples of files with the ledger and with an Uptake server.

        The comparison uses Uptake's read API: the key needs the scope `data:read`.

        Args:
            sources: as for `send_samples`.
            wire: as there.
            forget: remove from the ledger what the server does not have, so that it is sent again.
            step: called regularly, for progress displays.
            options: as there; with v1.1, `user` is the user that the key is bound to.

        Raises:
            UnknownSource: a file does not exist, or is of no kind that can be read.
            LedgerUnusable: the ledger cannot be used.
            Unreachable: the server does not answer.
            Halt: the key is not allowed to read.
        """
        encoder = wire_of(SamplesWire, wire)
        opened = [opening.samples(Path(path), **options) for path in sources]
        to, key = self._options.to, self._options.key
        connection = Connection(to, BEARER, key, self._options.seconds)
        ledger = (open_ledger if forget else read_ledger)(self._options.ledger)
        try:
            owner = owner_of(encoder, key)
            user = (options.get("user") or "") if owner else ""
            run = find(ledger, to.url, encoder.name)
            check = Check(run, Server(connection, to.url), owner, user, forget)
            return check.run(opened, step)
        finally:
            connection.close()
            ledger.close()

    def status(self) -> list[LedgerStatus]:
        """The status of each endpoint in the ledger.

        Raises:
            LedgerUnusable: the ledger cannot be read.
        """
        ledger = read_ledger(self._options.ledger)
        try:
            return statuses(ledger)
        finally:
            ledger.close()

    def stop(self) -> None:
        """Stop the run after the requests in flight are answered; the next run continues it."""
        self._stopped = True
        if self.session is not None:
            self.session.stop()
