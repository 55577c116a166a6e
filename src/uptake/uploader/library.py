"""The uploader as a library: everything sent once, over a ledger."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from uptake.formats.base import BEARER
from uptake.formats.encoder import AnyWire, DocumentsWire, ImagesWire, ProfilesWire, SamplesWire
from uptake.uploader.items.documents import documents_feed
from uptake.uploader.items.images import images_feed
from uptake.uploader.items.profiles import profiles_feed
from uptake.uploader.ledger import open_ledger, read_ledger
from uptake.uploader.ledger.runs import find, key_digest
from uptake.uploader.ledger.standing import Standing, standings
from uptake.uploader.places import default_ledger
from uptake.uploader.samples.feed import samples_feed
from uptake.uploader.sending.connection import Connection, destination
from uptake.uploader.sending.keys import checked_key
from uptake.uploader.sending.sender import START, Retry
from uptake.uploader.session import Feed, Plan, Session
from uptake.uploader.sources import Interrupted, Source, opening
from uptake.uploader.sources.opening import ItemOptions, SampleOptions, TableOptions
from uptake.uploader.tally import Summary
from uptake.uploader.verify.check import Check, Verification
from uptake.uploader.verify.server import Server
from uptake.uploader.wires import wire_of

PARALLEL = 8
PATIENCE = 300.0
SECONDS = 60.0


class Uploader:
    """Sends files and folders to Uptake, or to a vendor whose wire it speaks.

    What was acknowledged is noted in a ledger, so that the next run sends only what is new, and
    one that was interrupted goes on where it was. One run at a time; `stop` may be called from
    another thread or a signal handler.

    Args:
        url: the base URL, e.g. `http://localhost:8000`.
        key: the API key; not needed for a dry run. White space around it is left out.
        ledger: its file; by default one for each URL, in the folder for the state of programs.
        parallel: requests under way at a time, at most; one user's go one after the other.
        refused_file: where to write rejected items with the reasons, as NDJSON that can be mended
            and sent again; nowhere by default.
        compressed: whether to compress requests; by default when the receiver says that it takes
            that and is not on this machine.
        patience: seconds for which a request is tried again that does not go well.
        seconds: how long an answer may take.
        dry_run: read, compare with the ledger and count, but send nothing and note nothing.
        retry_refused: send again what was rejected before.

    Raises:
        WrongAddress: the URL cannot be sent to.
        InvalidKey: the key cannot be one; the message does not repeat it.

    Attributes:
        session: the run that was begun last, for those who show progress.
    """

    def __init__(  # noqa: PLR0913 - what can be chosen
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
    ) -> None:
        to = destination(url)
        self._plan = Plan(
            to,
            checked_key(key),
            default_ledger(to) if ledger is None else Path(ledger),
            parallel,
            None if refused_file is None else Path(refused_file),
            compressed,
            seconds,
            Retry(patience=patience, start=min(patience, START)),
            dry_run,
        )
        self._retry_rejected = retry_refused
        self._stopped = False
        self.session: Session | None = None

    def send_samples(
        self, *sources: Path | str, wire: str | None = None, **options: Unpack[SampleOptions]
    ) -> Summary:
        """Send samples: Apple Health exports, NDJSON, CSV, Parquet.

        Args:
            sources: files, `-` for standard input, zip archives, or folders of exports.
            wire: `gerosense-v2.2` (the default) or `gerosense-v1.1`.
            options: what files may not say, see `SampleOptions`.

        Raises:
            UnknownSource: a file is not there, or is of no kind that can be read.
            LedgerUnusable: the ledger cannot be used.
        """
        spoken = wire_of(SamplesWire, wire)
        feed = samples_feed(spoken, self._plan.key, retry_refused=self._retry_rejected)
        return self._run(spoken, opening.samples, sources, options, feed)

    def send_profiles(self, *sources: Path | str, **options: Unpack[TableOptions]) -> Summary:
        """Send attributes: CSV, NDJSON or Parquet with `user_id` and a column for each attribute.

        Raises:
            UnknownSource: a file is not there, or is of no kind that can be read.
            LedgerUnusable: the ledger cannot be used.
        """
        wire = wire_of(ProfilesWire)
        feed = profiles_feed(wire, retry_refused=self._retry_rejected)
        return self._run(wire, opening.profiles, sources, options, feed)

    def send_documents(
        self, type_name: str, *sources: Path | str, **options: Unpack[ItemOptions]
    ) -> Summary:
        """Send documents of a type: NDJSON, or a folder or archive of JSON files.

        Raises:
            UnknownSource: a file is not there, or is of no kind that can be read.
            LedgerUnusable: the ledger cannot be used.
        """
        wire = wire_of(DocumentsWire)
        feed = documents_feed(wire, type_name, retry_refused=self._retry_rejected)
        return self._run(wire, opening.documents, sources, options, feed)

    def send_images(
        self, *sources: Path | str, root: Path | str | None = None, **options: Unpack[TableOptions]
    ) -> Summary:
        """Send images: a folder, or a table of users and paths.

        Files that are not images, or not below the folder, are reported and not sent.

        Args:
            sources: folders, or tables in CSV, NDJSON or Parquet.
            root: the folder below which the files that a table names must be; by default the
                table's own.
            options: what files may not say; `user` of a folder is the user of all its images.

        Raises:
            UnknownSource: a file is not there, or is of no kind that can be read.
            LedgerUnusable: the ledger cannot be used.
        """
        wire = wire_of(ImagesWire)
        feed = images_feed(wire, retry_refused=self._retry_rejected)
        open_ = partial(opening.images, root=None if root is None else Path(root))
        return self._run(wire, open_, sources, options, feed)

    def verify_samples(
        self,
        *sources: Path | str,
        wire: str | None = None,
        forget: bool = False,
        step: Callable[[], None] = lambda: None,
        **options: Unpack[SampleOptions],
    ) -> Verification:
        """Compare samples of files with what the ledger says and the server has.

        The server is asked through its read API, which is Uptake's: the key needs the scope
        `data:read`.

        Args:
            sources: as for `send_samples`.
            wire: as there.
            forget: have the ledger forget what the server lacks, so that it is sent again.
            step: called now and then, for those who show progress.
            options: as there; with v1.1, `user` is the user that the key is bound to.

        Raises:
            UnknownSource: a file is not there, or is of no kind that can be read.
            LedgerUnusable: the ledger cannot be used.
            Unreachable: the server gives no answer.
            Halt: the key may not ask.
        """
        spoken = wire_of(SamplesWire, wire)
        opened = [opening.samples(Path(path), **options) for path in sources]
        plan = self._plan
        connection = Connection(plan.to, BEARER, plan.key, plan.seconds)
        ledger = (open_ledger if forget else read_ledger)(plan.ledger)
        try:
            run = find(ledger, plan.to.url, spoken.name)
            owner = f"key:{key_digest(plan.key)}" if spoken.user_from_key else ""
            check = Check(
                run,
                Server(connection, plan.to.url),
                owner=owner,
                user=(options.get("user") or "") if owner else "",
                forget=forget,
            )
            return check.run(opened, step)
        finally:
            connection.close()
            ledger.close()

    def _run(
        self,
        wire: AnyWire,
        open_: Callable[..., Source[Any]],
        paths: Sequence[Path | str],
        options: ItemOptions,
        feed: Feed,
    ) -> Summary:
        try:
            sources = [
                open_(Path(path), **{"stopped": self._is_stopped, **options}) for path in paths
            ]
        except Interrupted:
            sources = []
        self.session = Session(self._plan, sources)
        if self._stopped:
            self.session.stop()
        return self.session.run(wire, wire.name, feed)

    def _is_stopped(self) -> bool:
        return self._stopped

    def status(self) -> list[Standing]:
        """What the ledger says, one for each endpoint.

        Raises:
            LedgerUnusable: the ledger cannot be read.
        """
        ledger = read_ledger(self._plan.ledger)
        try:
            return standings(ledger)
        finally:
            ledger.close()

    def stop(self) -> None:
        """Stop the run once the requests under way are answered; another one goes on from there."""
        self._stopped = True
        if self.session is not None:
            self.session.stop()
