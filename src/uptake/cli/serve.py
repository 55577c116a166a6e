"""`uptake serve`: the server."""

import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.server.mp import MPServer, WorkerProcess

from uptake import wiring
from uptake.cli.apart import apart
from uptake.cli.printing import Failed
from uptake.cli.serve_options import (
    AnswerMemory,
    AnswerSeconds,
    ImageRate,
    MetricsHost,
    MetricsPort,
    SegmentMemory,
    SlowPerKey,
)
from uptake.cli.store import DATA_DIR, BlobsUrl, Database, DataDir
from uptake.cli.terminal import note, warn
from uptake.http.stopping import TOLD
from uptake.settings import Settings

DEFAULTS = Settings()
BACKLOG = 1024
CONNECTIONS = 4_000
"""Connections that a process holds at once; when there are more, new ones wait. An idle one takes a
few KB and ends after `HEADER_MILLISECONDS`, so that many strangers are needed to take them all."""

CONNECTION_BUFFER = 128 * 1024
"""Bytes of a connection that are held before a request is served: at most 500 MB for all of them.
The line and the headers of a request must fit into it."""

SPARE_FILES = 500
"""Files beside connections that a process may have open."""

HEADER_MILLISECONDS = 30_000
"""How long a request's line and headers may take to arrive."""

STOP_SECONDS = 35
"""How long a stop waits for requests that are being served, and then for what they wrote."""


def serve(  # noqa: PLR0913, PLR0917 - one parameter an option
    data_dir: DataDir = DATA_DIR,
    host: Annotated[
        str, typer.Option("--host", envvar="UPTAKE_HOST", help="Address to listen on.")
    ] = DEFAULTS.host,
    port: Annotated[
        int,
        typer.Option("--port", envvar="UPTAKE_PORT", min=0, max=65535, help="0: any free port."),
    ] = DEFAULTS.port,
    database: Database = "",
    blobs: BlobsUrl = "",
    workers: Annotated[
        int, typer.Option("--workers", envvar="UPTAKE_WORKERS", min=1, help="Processes.")
    ] = DEFAULTS.workers,
    public_url: Annotated[
        str,
        typer.Option(
            "--public-url",
            envvar="UPTAKE_PUBLIC_URL",
            help="Address seen from outside; else that of each request.",
        ),
    ] = "",
    metrics_port: MetricsPort = DEFAULTS.metrics_port,
    metrics_host: MetricsHost = "",
    segment_memory: SegmentMemory = DEFAULTS.segment_memory,
    answer_seconds: AnswerSeconds = DEFAULTS.answer_seconds,
    answer_memory: AnswerMemory = DEFAULTS.answer_memory,
    slow_per_key: SlowPerKey = DEFAULTS.slow_per_key,
    image_rate: ImageRate = DEFAULTS.image_rate,
) -> None:
    """Serve until stopped."""
    settings = Settings(
        data_dir=data_dir.resolve(),
        host=host,
        port=port or free_port(host),
        database=database,
        blobs=blobs,
        workers=workers,
        public_url=public_url,
        metrics_host=metrics_host or host,
        metrics_port=metrics_port,
        segment_memory=segment_memory,
        answer_seconds=answer_seconds,
        answer_memory=answer_memory,
        slow_per_key=slow_per_key,
        image_rate=image_rate,
    )
    check_port(settings.host, settings.port)
    if settings.metrics is not None:
        if settings.metrics == (settings.host, settings.port):
            raise typer.BadParameter("--metrics-port must differ from --port")
        check_port(*settings.metrics)
    with _shared_metrics(settings.workers):
        # Opened once here, so that what is wrong is told in one line and migrations run once.
        wiring.open_services(settings).close()
        apart(wiring.check_blobs, settings)
        _warn_of_readable_data(settings)
        run(settings)


def _warn_of_readable_data(settings: Settings) -> None:
    """Tell the operator of a database or blobs that others can read, as earlier versions left them.

    Modes are not changed: a group may have been given access on purpose, for backups.
    """
    folder = settings.data_dir
    for path in (folder / wiring.DATABASE_FILE, folder / "blobs"):
        with suppress(OSError):
            if path.stat().st_mode & 0o044 and folder.stat().st_mode & 0o011:
                warn(
                    f"other users of this machine can read {path};"
                    f" to prevent it: chmod -R go= {folder}"
                )
                return


def free_port(host: str) -> int:
    """A port that nobody listens on now.

    Raises:
        Failed: the host cannot be listened on.
    """
    with _listening(host, 0) as listener:
        return int(listener.getsockname()[1])


def check_port(host: str, port: int) -> None:
    """Make sure that a port can be listened on.

    Raises:
        Failed: it cannot.
    """
    _listening(host, port).close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, address = _resolved(host)
        return socket.create_server((address, port), family=family)
    except OSError as error:
        raise Failed(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def _resolved(host: str) -> tuple[int, str]:
    """The address that a host's name stands for, and its family: the server takes no names."""
    family, _, _, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    return family, str(address[0])


def run(settings: Settings) -> None:
    """Serve with these settings until a signal comes."""
    os.environ.update(settings.to_environment())
    os.register_at_fork(after_in_child=_obey_signals)
    _serve(settings)


@contextmanager
def _shared_metrics(workers: int) -> Iterator[None]:
    """Have several processes keep their numbers in files that each of them can read.

    prometheus_client decides on this when it is imported, and opening a store imports it.
    """
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="uptake-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _obey_signals() -> None:
    """Have a process that is told to stop before it serves do so.

    It inherits its parent's handlers, which only make a note, and sets its own when it serves.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class _Server(MPServer):
    """A server whose processes finish what they have begun before they close anything."""

    _told = False

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Tell the processes that serve; the second time, stop at once."""
        if self._told:
            super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]
            return
        self._told = True
        workers = list(self.wrks)
        for worker in workers:
            # Else it would be replaced when it ends.
            worker.interrupt_by_parent = True
        threading.Thread(target=self._end, args=[workers], name="end", daemon=True).start()

    def _end(self, workers: Sequence[WorkerProcess]) -> None:
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker.inner.pid, TOLD)
        until = time.monotonic() + STOP_SECONDS
        for worker in workers:
            worker.inner.join(max(0.0, until - time.monotonic()))
        super().signal_handler_interrupt()  # type: ignore[no-untyped-call]


def _connections() -> int:
    """How many connections a process may hold, after allowing it as many files as that takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(CONNECTIONS, soft - SPARE_FILES))


def _serve(settings: Settings) -> None:
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    # Nobody may be there to read it, or no room; that is no reason not to serve.
    with suppress(OSError):
        note(f"Uptake listens on http://{name}:{settings.port}")
        sys.stderr.flush()
    _Server(
        "uptake.http.app:create",
        factory=True,
        address=_resolved(settings.host)[1],
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=CONNECTION_BUFFER
        ),
        websockets=False,
        backlog=BACKLOG,
        backpressure=_connections(),
        log_enabled=False,
        workers_kill_timeout=STOP_SECONDS,
        respawn_failed_workers=True,
    ).serve()
