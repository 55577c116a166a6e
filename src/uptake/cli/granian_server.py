"""Everything that depends on Granian's internals: its process server, with a graceful stop.

`pyproject.toml` caps the version, because the attributes used here are not documented.
"""

import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.server.mp import MPServer, WorkerProcess

from uptake.cli.terminal import Failed
from uptake.http.shutdown import SHUTDOWN_SIGNAL
from uptake.settings import Settings
from uptake.wiring import Unusable

BACKLOG = 1024
CONNECTIONS = 4_000
"""Maximum number of connections of a process; further ones wait. An idle connection takes a few KB
and is closed after `HEADER_MILLISECONDS`, so many clients are needed to use them all up."""

CONNECTION_BUFFER = 128 * 1024
"""Bytes of a connection that are buffered before a request is served: at most 500 MB for all
connections. The request line and the headers must fit into it."""

SPARE_FILES = 500
"""Files beside connections that a process may have open."""

HEADER_MILLISECONDS = 30_000
"""Time limit for a request's line and headers."""

STOP_SECONDS = 35
"""Time limit of a stop: for requests in progress and their commits."""


def serve(settings: Settings, address: str) -> None:
    """Serve with these settings until a signal arrives.

    Args:
        settings: the settings.
        address: of the host; Granian takes no names.
    """
    os.environ.update(settings.to_environment())
    os.register_at_fork(after_in_child=_default_signals)
    _Server(
        "uptake.http.app:create",
        factory=True,
        address=address,
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
        backpressure=_max_connections(),
        log_enabled=False,
        workers_kill_timeout=STOP_SECONDS,
        respawn_failed_workers=True,
    ).serve()


def _default_signals() -> None:
    """Let a worker that has not started to serve be stopped.

    It inherits its parent's signal handlers, which only set a flag.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class _Server(MPServer):
    """Stops workers gracefully: they finish their requests before they close anything."""

    _stopping = False

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Stop the workers gracefully on the first signal, immediately on the second."""
        if self._stopping:
            super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]
            return
        self._stopping = True
        workers = list(self.wrks)
        for worker in workers:
            # Otherwise Granian would replace the worker when it exits.
            worker.interrupt_by_parent = True
        threading.Thread(target=self._stop, args=[workers], name="stop", daemon=True).start()

    def _stop(self, workers: Sequence[WorkerProcess]) -> None:
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker.inner.pid, SHUTDOWN_SIGNAL)
        until = time.monotonic() + STOP_SECONDS
        for worker in workers:
            worker.inner.join(max(0.0, until - time.monotonic()))
        super().signal_handler_interrupt()  # type: ignore[no-untyped-call]


def _max_connections() -> int:
    """Raise the limit of open files as far as permitted; return the connections that fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(CONNECTIONS, soft - SPARE_FILES))


def run_in_fork(work: Callable[..., object], *args: Any) -> None:
    """Run a function in a forked process.

    Workers are forks of this process, and a fork has none of its parent's threads. A library with
    threads of its own, such as obstore, must therefore not be used in this process.

    Raises:
        Failed: the function raised `Unusable`, or the process exited unexpectedly.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run_and_send, args=(sender, work, args))
    process.start()
    sender.close()
    try:
        error: str | None = receiver.recv()
    except EOFError:
        error = "worker process exited unexpectedly"
    finally:
        process.join()
        receiver.close()
    if error is not None:
        raise Failed(error)


def _run_and_send(sender: Connection, work: Callable[..., object], args: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        work(*args)
    except Unusable as error:
        sender.send(str(error))
    else:
        sender.send(None)
